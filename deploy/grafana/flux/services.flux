// The services there are, for a variable.
import "influxdata/influxdb/schema"

schema.tagValues(bucket: "results", tag: "service", predicate: (r) => r._measurement == "results", start: -1d)
