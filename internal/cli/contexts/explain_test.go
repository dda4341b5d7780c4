package contexts

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
)

// explained is what config explain says of settings whose names begin so, without the folder that is the test's own.
func explained(t *testing.T, s runtest.Setup, prefix string) map[string]string {
	t.Helper()
	r := runtest.New(t, s)
	home, _ := r.Env("HOME")
	if err := explain(t.Context(), r.Run, &options{}); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for line := range strings.Lines(r.Out.String()) {
		f := gjson.GetMany(line, "setting", "value", "source")
		if name, ok := strings.CutPrefix(f[0].Str, prefix); ok {
			all[name] = strings.ReplaceAll(f[1].Str, home+"/.config/amictl/", "") + " (" + f[2].Str + ")"
		}
	}
	return all
}

// Of each node the first that says a value wins: a flag, the node, the context.
func TestWhereANodesSettingsComeFrom(t *testing.T) {
	for name, test := range map[string]struct {
		setup  runtest.Setup
		prefix string
		want   map[string]string
	}{
		"a node's own": {runtest.Setup{Config: three}, "nodes.pbx10.", map[string]string{
			"url": "amis://ops@10.0.0.10 (context)", "user": "ops (url)", "secret": "env:TEN (node)", "auth": "plain (node)",
			"ca": "/etc/ten.pem (node)", "tls_name": "ten (node)", "pin": "abcd (node)",
		}},
		"its context's": {runtest.Setup{Config: three}, "nodes.pbx1.", map[string]string{
			"url": "ami://10.0.0.1 (context)", "user": "admin (context)", "secret": "file:secret (context)", "auth": "md5 (context)", "ca": "ca.pem (context)",
		}},
		"a user of its own": {runtest.Setup{Config: three}, "nodes.pbx2.user", map[string]string{"": "two (node)"}},
		"flags": {runtest.Setup{Config: three, Flags: run.Globals{CA: "/my.pem", TLSName: "my", SecretFile: "/my.secret"}}, "nodes.pbx10.", map[string]string{
			"url": "amis://ops@10.0.0.10 (context)", "user": "ops (url)", "secret": "file:/my.secret (flag)", "auth": "plain (node)",
			"ca": "/my.pem (flag)", "tls_name": "my (flag)", "pin": "abcd (node)",
		}},
		"a variable":     {runtest.Setup{Config: three, Env: map[string]string{"AMICTL_SECRET_FILE": "/v"}}, "nodes.pbx10.secret", map[string]string{"": "file:/v (AMICTL_SECRET_FILE)"}},
		"standard input": {runtest.Setup{Config: three, Flags: run.Globals{SecretStdin: true, SecretFile: "/f"}}, "nodes.pbx10.secret", map[string]string{"": "standard input (flag)"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, explained(t, test.setup, test.prefix)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Nodes that the run would not be about are not explained.
func TestWhichNodesAreExplained(t *testing.T) {
	for name, test := range map[string]struct {
		setup runtest.Setup
		want  string
	}{
		"all":                        {runtest.Setup{}, "pbx1 pbx2 pbx10"},
		"by name":                    {runtest.Setup{Flags: run.Globals{Nodes: flags.List{"pbx2"}}}, "pbx2"},
		"by two names":               {runtest.Setup{Flags: run.Globals{Nodes: flags.List{"pbx2", "pbx1"}}}, "pbx1 pbx2"},
		"by a glob":                  {runtest.Setup{Flags: run.Globals{Nodes: flags.List{"pbx1*"}}}, "pbx1 pbx10"},
		"by the variable":            {runtest.Setup{Env: map[string]string{"AMICTL_NODE": "pbx10"}}, "pbx10"},
		"a flag before the variable": {runtest.Setup{Env: map[string]string{"AMICTL_NODE": "pbx10"}, Flags: run.Globals{Nodes: flags.List{"pbx1"}}}, "pbx1"},
		"by a label":                 {runtest.Setup{Flags: run.Globals{Labels: flags.List{"site=fra"}}}, "pbx10"},
		"by a label and a name":      {runtest.Setup{Flags: run.Globals{Labels: flags.List{"site=fra"}, Nodes: flags.List{"pbx2"}}}, ""},
		"of another context":         {runtest.Setup{Flags: run.Globals{Context: "lab"}}, "a"},
		"none, of this host":         {runtest.Setup{Flags: run.Globals{Local: true}}, ""},
		"none, of its manager.conf":  {runtest.Setup{Flags: run.Globals{ManagerConf: "/etc/m.conf"}}, ""},
		"none, of a context without": {runtest.Setup{Flags: run.Globals{Context: "empty"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			test.setup.Config = three
			r := runtest.New(t, test.setup)
			var got []string
			for _, setting := range printed(t, r, explain, nil, "setting") {
				if node, ok := strings.CutSuffix(strings.TrimPrefix(setting, "nodes."), ".url"); ok {
					got = append(got, node)
				}
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Of amictl serve's tables only what is given is shown.
func TestServeIsExplained(t *testing.T) {
	config := "[serve]\nami = [\"127.0.0.1:1\", \"pbx1=127.0.0.1:2\"]\nendpoint_metrics = true\n[[users]]\nname = \"crm\"\nsecret = \"env:CRM\"\n"
	if diff := cmp.Diff(map[string]string{"ami": "127.0.0.1:1, pbx1=127.0.0.1:2 (file)", "endpoint_metrics": "true (file)"}, explained(t, runtest.Setup{Config: config}, "serve.")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"name": "crm (file)", "secret": "env:CRM (file)"}, explained(t, runtest.Setup{Config: config}, "users.crm.")); diff != "" {
		t.Error(diff)
	}
}

// The default of a connection is one for the connection and one for the login; what is given holds for both.
func TestConnectTimeoutIsExplained(t *testing.T) {
	for config, want := range map[string]string{"protect = true": " for the login (default)", "connect_timeout = \"7s\"": "7s (context)"} {
		if got := explained(t, runtest.Setup{Config: config}, "connect-timeout")[""]; !strings.HasSuffix(got, want) {
			t.Errorf("%s: %q", config, got)
		}
	}
}
