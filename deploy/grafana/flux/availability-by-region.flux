// Share of good results by region, in percent. Inconclusive and saturated results count on neither side.
counts = (fields) =>
    from(bucket: "results-rollups")
        |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
        |> filter(fn: (r) => r._measurement == "rollup_5m" and r._field =~ fields)
        |> group(columns: ["region"])
        |> aggregateWindow(every: v.windowPeriod, fn: sum, createEmpty: false)

join(
    tables: {good: counts(fields: /^ok$/), known: counts(fields: /^(ok|dns|connect|tls|http|content|timeout)$/)},
    on: ["_time", "region"],
)
    |> map(fn: (r) => ({_time: r._time, region: r.region, _value: 100.0 * float(v: r._value_good) / float(v: r._value_known)}))
    |> group(columns: ["region"])
