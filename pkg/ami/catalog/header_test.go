package catalog_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apntalk/amictl/pkg/ami/catalog"
)

func TestTraits(t *testing.T) {
	for _, tt := range []struct {
		event, header string
		weight        catalog.Weight
		number, means string
		words         string
	}{
		{"Hangup", "Cause", catalog.Usual, "17", "User busy", "Cause-txt"},
		{"hangup", "CAUSE", catalog.Usual, "127", "Interworking, unspecified", "Cause-txt"},
		{"CoreShowChannel", "Channel", catalog.Identifying, "", "", ""},
		{"AgentConnect", "DestChannel", catalog.Usual, "", "", ""},
		{"AgentConnect", "DestChannelState", catalog.Usual, "6", "Up", "DestChannelStateDesc"},
		{"AgentConnect", "DestLanguage", catalog.Low, "", "", ""},
		{"OriginateResponse", "Reason", catalog.Usual, "5", "Busy", ""},
		{"AgentComplete", "Reason", catalog.Usual, "5", "", ""},
		{"QueueMemberStatus", "Status", catalog.Usual, "1", "Not in use", ""},
		{"ExtensionStatus", "Status", catalog.Usual, "1", "InUse", "StatusText"},
		{"ContactList", "Status", catalog.Usual, "1", "", ""},
		{"ListDialplan", "Priority", catalog.Identifying, "", "", ""},
		{"Newexten", "Priority", catalog.Low, "", "", ""},
		{"BridgeListItem", "BridgeUniqueid", catalog.Identifying, "", "", ""},
		{"BridgeEnter", "BridgeUniqueid", catalog.Low, "", "", ""},
		{"", "Nosuch", catalog.Usual, "1", "", ""},
	} {
		got := catalog.TraitOf(tt.event, tt.header)
		if got.Weight != tt.weight || got.Coding[tt.number].Words != tt.means || got.Words != tt.words {
			t.Errorf("%s of %s: weight %d, %s means %q, words in %q", tt.header, tt.event, got.Weight, tt.number, got.Coding[tt.number].Words, got.Words)
		}
	}
}

// The numbers mean what real servers say that they mean, beside them.
func TestMeaningsOnCaptures(t *testing.T) {
	files, err := filepath.Glob("../../../testdata/captures/*.raw")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	checked := 0
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // the test's own
		if err != nil {
			t.Fatal(err)
		}
		event, headers := "", make(map[string]string)
		lines := bufio.NewScanner(strings.NewReader(string(text)))
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch trait := catalog.TraitOf(event, name); {
			case name == "":
				event, headers = "", make(map[string]string)
			case name == "Event":
				event = value
			case trait.Words != "":
				headers[trait.Words] = trait.Coding[value].Words
			case headers[name] != "":
				if checked++; headers[name] != value {
					t.Errorf("%s: %s of %s is %q there and %q here", filepath.Base(file), name, event, value, headers[name])
				}
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d numbers had words beside them", checked)
	}
}
