package web

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/serve/upstream"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/apntalk/amictl/pkg/output"
)

// A failure is what a client is told of an error: the object of type error that amictl prints, and the status of HTTP.
type failure struct {
	output.Failure
	status int
	retry  time.Duration // when it may work again; 0: nobody knows
}

func (f *failure) Error() string { return f.Message }

// A code is a kind of failure, of the list in docs/exit-status.md, with the exit status that it stands for there.
type code struct {
	name string
	exit int
}

var (
	codeUsage        = code{"usage", 2}
	codeInput        = code{"input", 2}
	codeUnsent       = code{"unsent", 3}
	codeConnect      = code{"connect", 3}
	codeLogin        = code{"login", 4}
	codePermission   = code{"permission", 4}
	codeRefused      = code{"refused", 1}
	codeTimeout      = code{"timeout", 5}
	codeTruncated    = code{"truncated", 7}
	codeDisconnected = code{"disconnected", 7}
)

func newFailure(status int, c code, hint, message string) *failure {
	return &failure{status: status, Failure: output.Failure{Time: time.Now(), Code: c.name, Exit: c.exit, Sent: ami.SentNo.String(), Message: message, Hint: hint}}
}

func badRequest(hint, format string, args ...any) *failure {
	return newFailure(http.StatusBadRequest, codeUsage, hint, fmt.Sprintf(format, args...))
}

// badAction is an action that is refused before it is sent.
func badAction(hint, format string, args ...any) *failure {
	return newFailure(http.StatusBadRequest, codeInput, hint, fmt.Sprintf(format, args...))
}

func notFound(hint, format string, args ...any) *failure {
	return newFailure(http.StatusNotFound, codeUsage, hint, fmt.Sprintf(format, args...))
}

func denied(format string, args ...any) *failure {
	return newFailure(http.StatusForbidden, codePermission, "", "permission denied: "+fmt.Sprintf(format, args...))
}

// lacking is a right that the user does not have, which a key of [[users]] would give.
func lacking(key, format string, args ...any) *failure {
	right := &users.DeniedError{Key: key, What: fmt.Sprintf(format, args...)}
	return newFailure(http.StatusForbidden, codePermission, right.Hint(), right.Error())
}

func unknownUser(message string) *failure {
	return newFailure(http.StatusUnauthorized, codeLogin, "send the header Authorization: Bearer SECRET, with the secret of a user", message)
}

func tooMany(message string) *failure {
	f := newFailure(http.StatusTooManyRequests, codeUnsent, "", message)
	f.retry = time.Second
	return f
}

func crowded() *failure {
	f := newFailure(http.StatusServiceUnavailable, codeUnsent, "", "too many clients are being served")
	f.retry = 5 * time.Second
	return f
}

// noRoute tells that there is no such path, or no such method of it, which is what mux's own handler knows.
func noRoute(handler http.Handler, w http.ResponseWriter, r *http.Request) {
	found := &counting{ResponseWriter: nowhere{http.Header{}}}
	handler.ServeHTTP(found, r)
	f := notFound("docs/serve.md lists what there is", "there is nothing at %.200q", r.URL.Path)
	if found.status == http.StatusMethodNotAllowed {
		w.Header()["Allow"] = found.Header()["Allow"]
		f = newFailure(http.StatusMethodNotAllowed, codeUsage, "use "+strings.Join(found.Header()["Allow"], ", "), fmt.Sprintf("%.20q is not a method of %s", r.Method, r.URL.Path))
	}
	f.write(w, r)
}

// write sends a failure as the answer.
func (f *failure) write(w http.ResponseWriter, r *http.Request) {
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="amictl"`)
	}
	if f.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.retry.Seconds()))))
	}
	if r.ContentLength != 0 && r.Body != nil { // what of it is not read is not worth reading
		w.Header().Set("Connection", "close")
	}
	w.Header().Set("Content-Type", jsonType)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(defaultLimits.write)) // what failed may have taken long
	w.WriteHeader(f.status)
	_, _ = w.Write(append(output.AppendError(nil, &f.Failure), '\n')) //nolint:gosec // it is JSON, and said to be
}

// actionFailure is what became of an action that came to an error.
func actionFailure(err error, node string, origin output.Origin) *failure {
	f := statusOf(err)
	f.Node, f.Origin, f.Time = node, origin, time.Now()
	f.Message = strings.TrimPrefix(err.Error(), "ami: ")
	if errors.Is(err, upstream.ErrUnknownNode) {
		f.Message = fmt.Sprintf("there is no node %.100q", node)
	}
	f.Sent = ami.SentState(err).String()
	return f
}

func statusOf(err error) *failure {
	var right *users.DeniedError
	var refused *ami.ResponseError
	sent := ami.SentState(err)
	switch {
	case errors.As(err, &right):
		return newFailure(http.StatusForbidden, codePermission, right.Hint(), "")
	case errors.Is(err, upstream.ErrUnknownNode):
		return newFailure(http.StatusNotFound, codeInput, "/v1/nodes lists them", "")
	case errors.Is(err, upstream.ErrTooFast):
		return tooMany("")
	case errors.As(err, new(*wire.FieldError)), errors.As(err, new(*upstream.UnfitError)), errors.Is(err, ami.ErrReservedAction):
		return newFailure(http.StatusBadRequest, codeInput, "", "")
	case errors.As(err, &refused) && strings.HasPrefix(refused.Message, "Permission denied"):
		return newFailure(http.StatusConflict, codePermission, "the daemon's own user in manager.conf lacks a class in write=", "")
	case errors.As(err, &refused):
		return newFailure(http.StatusConflict, codeRefused, "", "")
	case errors.Is(err, ami.ErrListTooLong):
		return newFailure(http.StatusGatewayTimeout, codeTruncated, "it ran; ask for less", "")
	case sent == ami.SentNo && (errors.Is(err, ami.ErrTimeout) || errors.Is(err, ami.ErrBusy)):
		return newFailure(http.StatusBadGateway, codeUnsent, "nothing was sent: safe to try again", "")
	case sent == ami.SentNo:
		return newFailure(http.StatusBadGateway, codeConnect, "nothing was sent: safe to try again once the node is back", "")
	case errors.Is(err, ami.ErrTimeout):
		return newFailure(http.StatusGatewayTimeout, codeTimeout, "it may have run; a longer timeout in the action allows more time", "")
	}
	return newFailure(http.StatusGatewayTimeout, codeDisconnected, "it may have run: check before you try again", "")
}
