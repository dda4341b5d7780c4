package catalog_test

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/skip"
	"github.com/apntalk/amictl/pkg/ami/catalog"
)

// documented is what Asterisk's own documentation says of its events.
type documented struct {
	Actions []struct { // of which some answers hold events that are documented nowhere else
		Events []documentedEvent `xml:"responses>managerEvent"`
		Items  []documentedEvent `xml:"responses>list-elements>managerEvent"`
	} `xml:"manager"`
	Events []documentedEvent `xml:"managerEvent"`
}

type documentedEvent struct {
	Name      string `xml:"name,attr"`
	Instances []struct {
		Class  string `xml:"class,attr"`
		Syntax struct {
			Parts []struct {
				XMLName xml.Name
				Name    string `xml:"name,attr"`
				Prefix  string `xml:"prefix,attr"`
				Pointer string `xml:"xpointer,attr"`
			} `xml:",any"`
		} `xml:"syntax"`
	} `xml:"managerEventInstance"`
}

// pointer is how the documentation includes the parameters of another event, all or one.
var pointer = regexp.MustCompile(`managerEvent\[@name='([^']+)'\]/managerEventInstance/syntax/parameter(?:\[@name='([^']+)'\])?\)$`)

// headers returns the headers of an event that are documented, with one of each block that snapshots have.
func (d *documented) headers(e *documentedEvent) (names []string) {
	for _, i := range e.Instances {
		for _, part := range i.Syntax.Parts {
			switch part.XMLName.Local {
			case "parameter":
				names = append(names, part.Name)
			case "channel_snapshot":
				names = append(names, part.Prefix+"Linkedid")
			case "bridge_snapshot":
				names = append(names, part.Prefix+"BridgeUniqueid")
			case "include":
				m := pointer.FindStringSubmatch(part.Pointer)
				for j := range d.Events {
					if m != nil && d.Events[j].Name == m[1] {
						names = append(names, d.parameters(&d.Events[j], m[2])...)
					}
				}
			}
		}
	}
	return names
}

// parameters returns the parameters of an event, or one of them; an include does not take snapshots.
func (d *documented) parameters(e *documentedEvent, one string) []string {
	return slices.DeleteFunc(d.headers(e), func(name string) bool {
		return one != "" && name != one || strings.HasSuffix(name, "Linkedid") || strings.HasSuffix(name, "BridgeUniqueid")
	})
}

// misdocumented are classes that manager_channels.c, cel_manager.c and app_voicemail.c do not publish with.
var misdocumented = []string{"CLASS", "CEL", "VoicemailPasswordChange"}

// What a real server documents is in the catalogue: events, classes, headers.
func TestInteropDocumentation(t *testing.T) {
	lab := os.Getenv("AMICTL_LAB_DIR")
	if lab == "" {
		lab = filepath.Join("..", "..", "..", ".lab")
	}
	for _, version := range []int{22, 16} {
		t.Run("asterisk "+strconv.Itoa(version), func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(lab, "rootfs-"+strconv.Itoa(version), "usr", "share", "asterisk", "documentation", "core-en_US.xml"))
			if err != nil {
				skip.Loudly(t, "no real Asterisk, which scripts/asterisk-lab up installs: "+err.Error())
			}
			var d documented
			if err := xml.Unmarshal(text, &d); err != nil {
				t.Fatal(err)
			}
			for _, a := range d.Actions {
				d.Events = slices.Concat(d.Events, a.Events, a.Items)
			}
			if len(d.Events) < 150 {
				t.Errorf("only %d events are documented", len(d.Events))
			}
			for i := range d.Events {
				d.compare(t, version, &d.Events[i])
			}
		})
	}
}

func (d *documented) compare(t *testing.T, version int, doc *documentedEvent) {
	t.Helper()
	e, ok := catalog.LookupEvent(doc.Name)
	if !ok {
		t.Errorf("the catalogue has no %s", doc.Name)
		return
	}
	if since, _ := strconv.Atoi(e.Since); since > version {
		t.Errorf("%s is there before %s", e.Name, e.Since)
	}
	if removed, err := strconv.Atoi(e.Removed); err == nil && removed <= version {
		t.Errorf("%s is there in spite of having gone in %s", e.Name, e.Removed)
	}
	for _, i := range doc.Instances {
		class := strings.TrimPrefix(i.Class, "EVENT_FLAG_")
		if len(e.Classes) > 0 && !slices.Equal(e.Classes, []string{strings.ToLower(class)}) && !slices.Contains(misdocumented, class) && !slices.Contains(misdocumented, e.Name) {
			t.Errorf("%s needs %v, documented is %s", e.Name, e.Classes, class)
		}
	}
	for _, name := range d.headers(doc) {
		if !e.Open && !slices.ContainsFunc(e.Headers, func(h catalog.Header) bool { return strings.EqualFold(h.Name, name) }) {
			t.Errorf("%s has no header %s", e.Name, name)
		}
	}
}
