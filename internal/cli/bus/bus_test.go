package bus

import (
	"bytes"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/apntalk/amictl/internal/bus"
	"github.com/apntalk/amictl/internal/cli/schema"
	"github.com/apntalk/amictl/pkg/output"
)

// What is printed is as its schema says, with and without what may be absent.
func TestObjects(t *testing.T) {
	for name, records := range map[string][]output.Record{
		"bus-node": {
			nodeRecord("c", &bus.NodeInfo{Node: "pbx", Batches: 3}, nil),
			nodeRecord("c", &bus.NodeInfo{Node: "pbx", Batches: 3, Bridge: "a", Since: time.Unix(1_700_000_000, 0)}, []bus.Standby{
				{Bridge: "b", Node: "pbx", Since: time.Unix(1_700_000_000, 0)}, {Bridge: "c", Node: "pbx", Why: "it has no session to the node"},
			}),
		},
		"bus-durable": {
			durableRecord("c", &bus.DurableInfo{Name: "crm"}),
			durableRecord("c", &bus.DurableInfo{Name: "crm", Nodes: []string{"pbx1", "fra-*"}, Behind: 7}),
		},
		"bus-move": {
			moveRecord("c", &bus.Moved{Node: "pbx", From: "a", To: "b", Whole: true, Took: time.Second}),
			moveRecord("c", &bus.Moved{Node: "pbx", From: "a", To: "b"}),
		},
		"bus-ledger": {
			ledgerRecord("c", &bus.Ledger{Node: "pbx"}),
			ledgerRecord("c", &bus.Ledger{Node: "pbx", Packets: 7, Faults: []string{"packet 3 comes behind packet 4"}}),
		},
	} {
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.Document(name)))
		if err != nil {
			t.Fatal(err)
		}
		compiler := jsonschema.NewCompiler()
		if err := compiler.AddResource(name, document); err != nil {
			t.Fatal(err)
		}
		compiled, err := compiler.Compile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range records {
			var b bytes.Buffer
			p := output.NewPrinter(&b, output.Options{Format: output.JSONLines})
			if err := p.Record(record); err != nil {
				t.Fatal(err)
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			value, err := jsonschema.UnmarshalJSON(&b)
			if err != nil {
				t.Fatal(err)
			}
			if err := compiled.Validate(value); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
