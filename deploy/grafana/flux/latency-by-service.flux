// The 95th percentile of the total time of each service, in milliseconds.
from(bucket: "results")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "results" and r._field == "total_us")
    |> group(columns: ["service"])
    |> aggregateWindow(
        every: v.windowPeriod,
        fn: (tables=<-, column) => tables |> toFloat() |> quantile(q: 0.95, column: column),
        createEmpty: false,
    )
    |> map(fn: (r) => ({r with _value: r._value / 1000.0}))
