package ami

import (
	"testing"
)

func TestOutcome(t *testing.T) {
	for name, tt := range map[string]struct{ end, want string }{
		"answered":                {"Event: OriginateResponse\nResponse: Success\nReason: 4\n\n", "answered"},
		"answered, in lower case": {"event: originateresponse\nresponse: success\nreason: 4\n\n", "answered"},
		"no answer":               {"Event: OriginateResponse\nResponse: Failure\nReason: 3\n\n", "no-answer"},
		"busy":                    {"Event: OriginateResponse\nResponse: Failure\nReason: 5\n\n", "busy"},
		"congestion":              {"Event: OriginateResponse\nResponse: Failure\nReason: 8\n\n", "congestion"},
		"hung up":                 {"Event: OriginateResponse\nResponse: Failure\nReason: 1\n\n", "failed"},
		"no such channel":         {"Event: OriginateResponse\nResponse: Failure\nReason: 0\n\n", "failed"},
		"a number of the future":  {"Event: OriginateResponse\nResponse: Failure\nReason: 44\n\n", "failed"},
		"no reason":               {"Event: OriginateResponse\nResponse: Failure\n\n", "failed"},
		"answered and failed":     {"Event: OriginateResponse\nResponse: Failure\nReason: 4\n\n", "failed"},
		"a list's end":            {"Event: StatusComplete\nReason: 5\n\n", ""},
		"nothing":                 {"", ""},
	} {
		var r Reply
		if tt.end != "" {
			r.End = packets(t, tt.end)[0]
		}
		if got := r.Outcome().String(); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	if got := Outcome(200).String(); got != "failed" {
		t.Errorf("an outcome that is none prints as %q", got)
	}
}
