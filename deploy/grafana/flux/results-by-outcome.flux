// Every single result by its outcome: finer than roll-ups, for a short time.
from(bucket: "results")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "results" and r._field == "outcome")
    |> duplicate(column: "_value", as: "outcome")
    |> group(columns: ["outcome"])
    |> aggregateWindow(every: v.windowPeriod, fn: count, createEmpty: false)
