// Share of good results of each service over the whole time, in percent; the worst first. From roll-ups of an hour.
counts = (fields) =>
    from(bucket: "results-rollups")
        |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
        |> filter(fn: (r) => r._measurement == "rollup_1h" and r._field =~ fields)
        |> group(columns: ["service"])
        |> sum()

join(
    tables: {good: counts(fields: /^ok$/), known: counts(fields: /^(ok|dns|connect|tls|http|content|timeout)$/)},
    on: ["service"],
)
    |> map(fn: (r) => ({service: r.service, _value: 100.0 * float(v: r._value_good) / float(v: r._value_known)}))
    |> group()
    |> sort(columns: ["_value"])
