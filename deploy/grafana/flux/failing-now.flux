// Agents and targets whose last result is a failure.
from(bucket: "results")
    |> range(start: -15m)
    |> filter(fn: (r) => r._measurement == "results" and r._field == "outcome")
    |> last()
    |> filter(fn: (r) => r._value != "ok" and r._value != "inconclusive")
    |> keep(columns: ["_time", "_value", "service", "target", "agent", "region", "network"])
    |> group()
    |> sort(columns: ["service", "target", "agent"])
