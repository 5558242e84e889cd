// HTTP status codes from 400 on, how often.
from(bucket: "results")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "results" and r._field == "status" and r._value >= 400)
    |> map(fn: (r) => ({_time: r._time, _value: 1, status: string(v: r._value)}))
    |> group(columns: ["status"])
    |> aggregateWindow(every: v.windowPeriod, fn: sum, createEmpty: false)
