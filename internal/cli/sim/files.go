package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/unpack"
)

// A node is one server in the document that sim prints.
type node struct {
	Name string `json:"name"`
	Addr string `json:"addr"`
	URL  string `json:"url"`
}

// describe writes the private folder with config, secret and certificate, and returns the document.
func (s *simulation) describe(o *options) ([]byte, error) {
	var err error
	if o.replay != "" {
		if s.recording, err = readRecording(o.replay); err != nil {
			return nil, err
		}
	}
	if s.dir, err = os.MkdirTemp("", "amictl-sim-"); err != nil {
		return nil, err
	}
	scheme, nodes := "ami", make([]node, 0, len(s.servers))
	if s.tls != nil {
		scheme = "amis"
	}
	for _, srv := range s.servers {
		nodes = append(nodes, node{srv.Name(), srv.Addr(), scheme + "://" + srv.Addr()})
	}
	files := map[string]string{"secret": s.secret + "\n", "config.toml": s.config(nodes)}
	if s.tls != nil {
		files["ca.pem"] = string(s.tls.pem)
	}
	doc, err := json.Marshal(struct {
		Type       string `json:"type"`
		Version    string `json:"version"`
		User       string `json:"user"`
		Config     string `json:"config"`
		SecretFile string `json:"secret_file"`
		CA         string `json:"ca,omitempty"`
		Control    string `json:"control,omitempty"`
		Nodes      []node `json:"nodes"`
	}{"sim", o.version, s.user, s.path("config.toml"), s.path("secret"), s.ca(), o.control, nodes})
	if err != nil {
		return nil, err
	}
	files["sim.json"] = string(doc) + "\n"
	for name, text := range files {
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return doc, nil
}

// readRecording reads the file of --replay, compressed or not.
func readRecording(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fail.Usage(fail.ReadHint, "--replay: %v", err)
	}
	defer func() { _ = file.Close() }()
	text, _, err := unpack.New(file)
	var format *unpack.FormatError
	if errors.As(err, &format) {
		return nil, fail.Input("`"+format.Convert(name)+" > CAPTURE`, and --replay CAPTURE", "--replay: %s cannot be read: %v", name, format)
	}
	var all []byte
	if err == nil {
		all, err = io.ReadAll(text)
	}
	if err != nil {
		return nil, fail.Usage(fail.ReadHint, "--replay: %v", err)
	}
	return all, nil
}

func (s *simulation) path(name string) string { return s.dir + string(os.PathSeparator) + name }

func (s *simulation) ca() string {
	if s.tls == nil {
		return ""
	}
	return s.path("ca.pem")
}

// config is a configuration of amictl with all servers in its one context.
func (s *simulation) config(nodes []node) string {
	var b strings.Builder
	fmt.Fprintf(&b, "context = \"sim\"\n[contexts.sim]\nuser = %s\nsecret = %s\n", config.TOMLString(s.user), config.TOMLString("file:"+s.path("secret")))
	if s.tls != nil {
		fmt.Fprintf(&b, "ca = %s\n", config.TOMLString(s.ca()))
	}
	for _, n := range nodes {
		fmt.Fprintf(&b, "[contexts.sim.nodes.%s]\nurl = %s\n", config.TOMLString(n.Name), config.TOMLString(n.URL))
	}
	return b.String()
}
