// Where the time goes: the median of every phase, in milliseconds.
from(bucket: "results")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "results" and r._field =~ /_us$/ and r._field != "total_us")
    |> filter(fn: (r) => r.service =~ /^${service:regex}$/)
    |> group(columns: ["_field"])
    |> aggregateWindow(
        every: v.windowPeriod,
        fn: (tables=<-, column) => tables |> toFloat() |> median(column: column),
        createEmpty: false,
    )
    |> map(fn: (r) => ({r with _value: r._value / 1000.0}))
