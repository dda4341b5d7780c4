package amidoor_test

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/skip"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// Other people's clients do the same through the door as with a server of their own. scripts/clients installs them; where one
// is missing its test is skipped.
var clients = []struct {
	name   string
	there  []string // succeeds where the client is installed
	script []string
}{
	{"python3-panoramisk", []string{"/usr/bin/python3", "-c", "import panoramisk"}, []string{"/usr/bin/python3", "testdata/clients/use_panoramisk.py"}},
	{"libtelephony-asterisk-ami-perl", []string{"perl", "-MTelephony::Asterisk::AMI", "-e", "1"}, []string{"perl", "testdata/clients/use_telephony_asterisk_ami.pl"}},
	{"asterisk-manager", []string{"node", "-e", "require('asterisk-manager')"}, []string{"node", "testdata/clients/use-asterisk-manager.js"}},
}

func TestClients(t *testing.T) {
	server := amitest.NewServer(amitest.WithName("pbx"), amitest.WithSetup(func(srv *amitest.Server) {
		srv.State().AddQueue(amitest.Queue{Name: "support"}, amitest.Queue{Name: "empty"})
		srv.State().AddExtension(amitest.Extension{Context: "default", Exten: "200"})
	}))
	defer server.Close()
	useClients(t, server.Addr(), "secret")
}

// And they do before a real Asterisk.
func TestClientsBeforeAsterisk(t *testing.T) {
	addr := os.Getenv("AMICTL_LAB_22")
	if addr == "" {
		skip.Loudly(t, "no real Asterisk: AMICTL_LAB_22 is not set")
	}
	useClients(t, addr, labSecret())
}

func useClients(t *testing.T, server, secret string) {
	door := openDoor(t, server, secret)
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			if err := exec.Command(c.there[0], c.there[1:]...).Run(); err != nil {
				skip.Loudly(t, c.name+" is not installed; scripts/clients does that")
			}
			direct, through := use(t, c.script, server, secret), use(t, c.script, door, secret)
			if diff := cmp.Diff(direct, through); diff != "" || strings.Count(through, "\n") < 5 {
				t.Errorf("-server +door:\n%s\n%s", diff, through)
			}
		})
	}
}

// use runs a client's script and returns what it printed.
func use(t *testing.T, script []string, addr, secret string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), script[0], append(script[1:len(script):len(script)], host, port, secret)...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s%s", err, out, errs.String())
	}
	return string(out)
}
