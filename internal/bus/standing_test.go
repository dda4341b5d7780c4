package bus

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// standbys are those of a node, and who is silent, as a line.
func standbys(t *testing.T, m *movers) string {
	t.Helper()
	all, silent, err := Standbys(m.ctx, m.conn, "c")
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, s := range all {
		if s.Why == "" && s.Since.IsZero() {
			t.Errorf("%+v is in step with nothing", s)
		}
		words = append(words, fmt.Sprintf("%s of %s: %s", s.Bridge, s.Node, s.Why))
	}
	return strings.Join(append(words, silent...), "\n")
}

// Whoever asks is told which bridges could go on with which nodes without a gap, and why others could not.
func TestStandbys(t *testing.T) {
	t.Parallel()
	hot := func(o *Options) { o.Hot = true }
	for name, tt := range map[string]struct {
		settings amitest.Settings
		options  func(*Options)
		want     string // of the bridge that does not own the node
	}{
		"in step":      {amitest.Settings{Timestamps: true}, hot, "%s of pbx: "},
		"no Timestamp": {amitest.Settings{}, hot, "%s of pbx: " + errNoTimestamp.Error()},
		"not hot":      {amitest.Settings{Timestamps: true}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMovers(t, 200, tt.options, amitest.WithSettings(tt.settings))
			eventually(t, "the other bridge says so", func() bool {
				want := tt.want
				if strings.Contains(want, "%s") {
					want = fmt.Sprintf(want, m.other())
				}
				return standbys(t, m) == want
			})
		})
	}
}

// A bridge that reads a server with other events is not in step, though it has them all; one that is alive and says nothing is named; and
// without any bridge there is nothing to wait for.
func TestStandbysElsewhere(t *testing.T) {
	t.Parallel()
	m := newMovers(t, 200, nil, amitest.WithSettings(amitest.Settings{Timestamps: true}))
	other := amitest.NewServer(amitest.WithName("pbx"), amitest.WithSettings(amitest.Settings{Timestamps: true}))
	t.Cleanup(other.Close)
	run(t, Options{Conn: dial(t, m.url), Cluster: "c", Name: "elsewhere", Nodes: func() []ami.Config { return configsOf(other) }, Hot: true})
	eventually(t, "it stands by", func() bool { return other.Ledger().Logins == 1 })
	eventually(t, "it is out of step", func() bool { return standbys(t, m) == "elsewhere of pbx: "+errNotHeard.Error() })
	mute, err := join(dial(t, m.url), "c", "mute/1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mute.leave)
	eventually(t, "the mute one is named", func() bool { return strings.HasSuffix(standbys(t, m), "\nmute") })
	if all, silent, err := Standbys(t.Context(), m.conn, "nobody"); len(all)+len(silent) > 0 || err != nil {
		t.Errorf("of a cluster without bridges: %v, %v, %v", all, silent, err)
	}
}
