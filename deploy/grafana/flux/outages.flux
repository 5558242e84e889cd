// Transitions of outages, as annotations: time, title, text, tags.
from(bucket: "results")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "outages" and (r._field == "title" or r._field == "text"))
    |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
    |> map(fn: (r) => ({_time: r._time, title: r.title, text: r.text, tags: r.scope + "," + r.state + "," + r.subject}))
    |> group()
    |> sort(columns: ["_time"])
