// How many results failed, by what failed.
from(bucket: "results-rollups")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "rollup_5m" and r._field =~ /^(dns|connect|tls|http|content|timeout)$/)
    |> group(columns: ["_field"])
    |> aggregateWindow(every: v.windowPeriod, fn: sum, createEmpty: false)
