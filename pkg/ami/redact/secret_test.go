package redact_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/redact"
)

// However a Secret is formatted, wrapped or encoded, its value does not show.
func TestSecretNeverPrints(t *testing.T) {
	const value = "kanarie-7"
	s := redact.NewSecret(value)
	in := struct {
		Public redact.Secret
		Map    map[string]redact.Secret
		Slice  []*redact.Secret
		Config ami.Config
		hidden redact.Secret // fmt cannot call methods on what is not exported
	}{s, map[string]redact.Secret{"k": s}, []*redact.Secret{&s}, ami.Config{Secret: ami.StaticSecret(value)}, s}
	var shown []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%10.3s", "%c", "%U"} {
		shown = append(shown, fmt.Sprintf(verb, s), fmt.Sprintf(verb, &s), fmt.Sprintf(verb, in))
	}
	asJSON, err := json.Marshal(map[string]any{"s": s, "p": &s, "m": in.Map})
	asXML, xmlErr := xml.Marshal(s)
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("m", "secret", s, "in", in.Map, "pointer", &s, slog.Group("g", "s", s))
	}
	shown = append(shown, string(asJSON), string(asXML), log.String(), fmt.Sprint(fmt.Errorf("wrapped: %v", s)), fmt.Sprintln(s, &s), errors.Join(fmt.Errorf("%s", s)).Error())
	if err != nil || xmlErr != nil {
		t.Error(err, xmlErr)
	}
	for _, text := range shown {
		if lower := strings.ToLower(text); strings.Contains(lower, value) || strings.Contains(lower, fmt.Sprintf("%x", value)) {
			t.Errorf("it shows: %s", text)
		}
	}
	if s.Reveal() != value || !strings.Contains(fmt.Sprint(s), "[secret]") {
		t.Errorf("it is %q and prints as %v", s.Reveal(), s)
	}
}
