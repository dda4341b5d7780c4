# Reads go test -bench output; prints each ratio of docs/PERFORMANCE.md from medians, and fails where one is under its floor.
# The floors are far under what is measured: only a real loss of speed fails, not a noisy machine.
/^Benchmark/ {
	name = $1
	sub(/-[0-9]+$/, "", name)
	sub(/^Benchmark/, "", name)
	rate = 0
	for (i = 3; i < NF; i += 2) {
		if ($(i + 1) ~ /^(events|actions|items|subscriptions)\/s$/) rate = $i
		if ($(i + 1) == "allocs/op") allocs[name] = $i
		if ($(i + 1) ~ /^(ns\/byte|ns\/header|MB)$/) least(name, $(i + 1), $i)
	}
	if (name ~ /^(Tail)?Shape\//) shape(name)
	if (rate) values[name, ++n[name]] = rate
	for (i = 3; i < NF; i += 2) {
		if ($(i + 1) ~ /ratio|-ms$/) values[name " " $(i + 1), ++n[name " " $(i + 1)]] = $i
	}
}
# least keeps the smallest figure: what the machine adds is no part of a shape's cost.
function least(name, unit, figure) {
	if (!((name, unit) in smallest) || figure < smallest[name, unit]) smallest[name, unit] = figure
}
function shape(name) {
	if (!(name in known)) shapes[++shapeCount] = name
	known[name] = 1
}
# shapeRow prints what a shape costs a byte and a header against the plain one, and its memory.
function shapeRow(name, plain, b, h) {
	plain = name
	sub(/\/.*/, "/plain", plain)
	b = smallest[name, "ns/byte"] / smallest[plain, "ns/byte"]
	h = smallest[name, "ns/header"] / smallest[plain, "ns/header"]
	printf "%-44s %7.2f ns/byte %7.1f ns/header %6.2f of plain%s", name, smallest[name, "ns/byte"], smallest[name, "ns/header"], b < h ? b : h, name ~ /^Tail/ ? ", want <= 2" : ""
	if (smallest[plain, "MB"]) printf "; %4.0f MB, %.2f, want <= 1.5", smallest[name, "MB"], smallest[name, "MB"] / smallest[plain, "MB"]
	print ""
}
function median(name, i, j, k, t, a) {
	k = n[name]
	for (i = 1; i <= k; i++) a[i] = values[name, i] + 0
	for (i = 2; i <= k; i++) for (j = i; j > 1 && a[j] < a[j - 1]; j--) { t = a[j]; a[j] = a[j - 1]; a[j - 1] = t }
	return k ? a[int((k + 1) / 2)] : 0
}
function row(what, name, reference, wanted, floor, ratio) {
	if (!median(name) || !median(reference)) return
	ratio = median(name) / median(reference)
	printf "%-48s %12.0f/s %9.2f x %-28s want %s\n", what, median(name), ratio, reference, wanted
	if (ratio < floor) slow = slow sprintf("%s: only %.2f x %s, the floor is %.2f\n", what, ratio, reference, floor)
}
# ratio prints one that a benchmark found itself.
function ratio(what, name, wanted) {
	if (n[name]) printf "%-48s %15.2f x, want %s\n", what, median(name), wanted
}
# took prints milliseconds.
function took(what, name, wanted) {
	if (n[name]) printf "%-48s %14.1f ms, want %s\n", what, median(name), wanted
}
END {
	print "\nmedians, and ratios within this run"
	row("decode, borrowed", "DecodeBorrowed", "ReferenceScan", ">= 0.45", 0.25)
	row("decode, owned", "DecodeOwned", "ReferenceScan", ">= 0.25", 0.12)
	row("decode, owned", "DecodeOwned", "ReferenceTextproto", "", 3)
	row("decode, borrowed", "DecodeBorrowed", "ReferenceTextproto", ">= 8")
	row("capture, packets alone", "Capture/plain", "ReferenceDecoder", ">= 0.6")
	row("capture, debug log", "Capture/debug", "ReferenceDecoder", "")
	row("capture, quoted", "Capture/quoted", "ReferenceDecoder", "")
	row("socket to subscriber", "Events", "ReferenceTextprotoSocket", ">= 6", 2)
	row("socket to subscriber", "Events", "ReferenceDiscard", "")
	row("socket to subscriber, borrowed", "EventsBorrowed", "ReferenceTextprotoSocket", ">= 6", 3)
	row("socket to subscriber, all filtered out", "EventsFiltered", "ReferenceDiscard", "")
	row("amictl tail, socket to JSON lines", "Tail/max", "TailEngine", ">= 500,000/s")
	row("amictl tail -o none", "Tail/none", "TailEngine", "")
	row("actions, 16 callers", "Actions16", "ReferenceNaive256", "")
	row("actions, 256 callers", "Actions256", "ReferenceNaive256", "", 2)
	row("actions, in a batch", "ActionsBatch", "ReferenceRawPipeline", ">= 0.60")
	row("actions, in a batch, owned replies", "ActionsBatchOwned", "ReferenceRawPipeline", "")
	row("actions, in a batch, plain server", "ActionsBatchPlainServer", "ReferenceRawPipelinePlainServer", ">= 0.60", 0.35)
	row("actions, in a batch, server of its own process", "ActionsBatchProcess", "ReferenceRawPipelineProcess", ">= 0.60")
	row("actions, in a batch, simulator", "ActionsBatchSimulator", "ReferenceRawPipelineSimulator", ">= 0.60")
	row("amictl send -, JSON lines to JSON lines", "SendLines/ping", "ReferenceRawPipelineSimulator", "")
	row("amictl send -, with two fields a line", "SendLines/fields", "ReferenceRawPipelineSimulator", "")
	row("100 nodes x 16 callers", "Nodes100x16", "ReferenceNaiveNodes100x16", ">= 2")
	row("1,000 nodes x 16 callers", "Nodes1000x16", "ReferenceNaiveNodes1000x16", ">= 2")
	row("an action to the first ready of 1,000 nodes", "Route/failover/all/1000", "Route/failover/all/50", ">= 0.7")
	row("an action to 1,000 nodes in turn", "Route/round-robin/all/1000", "Route/round-robin/all/50", ">= 0.7")
	row("the same, the caller takes the nodes in turn", "Route/by-hand/1000", "Route/by-hand/50", "")
	row("the route against the caller's own turn", "Route/round-robin/all/1000", "Route/by-hand/1000", ">= 0.9")
	row("an action to the least busy of 1,000 nodes", "Route/least-pending/all/1000", "Route/least-pending/all/50", ">= 0.7")
	row("to the first ready of 1,000 named nodes", "Route/failover/named/1000", "Route/failover/named/50", ">= 0.7")
	row("to 1,000 named nodes in turn", "Route/round-robin/named/1000", "Route/round-robin/named/50", ">= 0.7")
	row("to the least busy of 1,000 named nodes", "Route/least-pending/named/1000", "Route/least-pending/named/50", ">= 0.7")
	row("8,000 subscriptions, each", "Subscribe/first-closes-first/8000", "Subscribe/first-closes-first/1000", ">= 0.7")
	row("the same, the last closed first", "Subscribe/last-closes-first/8000", "Subscribe/last-closes-first/1000", ">= 0.7")
	row("table of 10,000 kinds of items, not of 500", "TableOfManyKinds/10000", "TableOfManyKinds/500", "", 0.2)
	row("tail -o table", "Tail/table", "Tail/max", ">= 0.5")
	row("a table alone", "Format/table", "Format/jsonl", ">= 0.5")
	row("a JSON document alone", "Format/json", "Format/jsonl", ">= 0.7")
	row("tail --record, -o none", "TailRecord/record", "TailRecord/lines", ">= 0.6")
	row("tail --record, -o jsonl", "TailRecord/both", "TailRecord/lines", "")
	row("tail --from RECORD to JSON lines", "TailFrom/record-lines", "TailFrom/capture-lines", ">= 0.5")
	row("tail --from RECORD to nothing", "TailFrom/record-none", "TailFrom/capture-none", ">= 0.5")
	row("tail --from RECORD, filtered", "TailFrom/record-filter", "TailFrom/capture-filter", ">= 0.5")
	row("send - --dry-run", "SendDry", "SendLines/fields", ">= 1")
	row("bus, a bridge of 8 nodes, what it is sent", "Flood/nodes=8/rate=max", "Flood/nodes=8/rate=200k", ">= 200,000/s, and >= 0.9")
	row("bus, a bridge of one node", "Flood/nodes=1/rate=max", "Flood/nodes=1/rate=100k", ">= 120,000/s, and >= 0.9")
	ratio("bus, batches against one event a message", "Batches ratio", ">= 3")
	ratio("bus, latency p50 against a bare NATS message", "Latency bare-ratio-p50", "<= 4")
	ratio("bus, latency p99 against a bare NATS message", "Latency bare-ratio-p99", "<= 4")
	ratio("bus, an action beyond the direct one, in bare NATS requests", "Action excess", "<= 2")
	ratio("a one-shot, amictl version, against an empty program", "OneShot/version ratio", "<= 2.2")
	took("what 5,000 nodes add to a command for one", "OneShot/nodes more-ms", "<= 45")
	took("completion of a node among 5,000", "OneShot/completion all-ms", "<= 100")
	ratio("a one-shot, amictl command, against asterisk -rx", "OneShot/command ratio", "<= 0.85")
	print "\nshapes of events: JSON lines alone (Shape), and all of tail (TailShape, processor time)"
	for (i = 1; i <= shapeCount; i++) shapeRow(shapes[i])
	if (slow) {
		printf "\nTOO SLOW:\n%s", slow
		exit 1
	}
}
