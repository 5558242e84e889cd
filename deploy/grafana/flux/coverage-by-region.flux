// Of all minutes in which something was probed, the share in which something was learnt, in percent, by region.
cells = (fn) =>
    from(bucket: "results-rollups")
        |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
        |> filter(fn: (r) => r._measurement == "rollup_5m" and r._field == "known_minutes")
        |> group(columns: ["region"])
        |> aggregateWindow(every: v.windowPeriod, fn: fn, createEmpty: false)

join(tables: {known: cells(fn: sum), cells: cells(fn: count)}, on: ["_time", "region"])
    |> map(fn: (r) => ({_time: r._time, region: r.region, _value: 20.0 * float(v: r._value_known) / float(v: r._value_cells)}))
    |> group(columns: ["region"])
