package fail

// The exit statuses.
const (
	ExitOK        = 0
	ExitFailed    = 1  // the server said Error, the call failed, or a condition was false
	ExitUsage     = 2  // usage, config, or input refused before anything was sent; docs/exit-status.md lists each way here
	ExitConnect   = 3  // cannot connect, or a timeout with nothing sent: safe to retry
	ExitLogin     = 4  // login or permission refused: nothing was executed
	ExitTimeout   = 5  // timed out: may have run
	ExitMixed     = 6  // several nodes or lines, and they ended differently
	ExitLost      = 7  // connection lost after bytes may have left, or a gap: may have run
	ExitBug       = 70 // a bug in amictl, or an error that it does not know: may have run
	exitInvalid   = 98 // bench: the generator could not keep up, or the ledgers differ
	exitThreshold = 99 // bench: a threshold failed
)

// A Code names a kind of failure in JSON. The list is closed.
type Code string

const (
	CodeRefused    Code = "refused"      // the server answered Error
	CodeCall       Code = "call-failed"  // the call that was originated failed
	CodeCondition  Code = "condition"    // a condition was false
	CodeUsage      Code = "usage"        // the command line is wrong
	CodeConfig     Code = "config"       // the configuration is wrong or cannot be read
	CodeInput      Code = "input"        // an action or a line of input was refused before anything was sent
	codeDNS        Code = "dns"          // the host's name cannot be resolved
	CodeConnect    Code = "connect"      // no TCP connection
	codeTLS        Code = "tls"          // the TLS handshake failed
	codeBanner     Code = "banner"       // what answered is no Asterisk manager
	CodeUnsent     Code = "unsent"       // nothing was sent in time
	CodeLogin      Code = "login"        // the login was refused
	CodePermission Code = "permission"   // the user lacks a class
	CodeTimeout    Code = "timeout"      // no complete answer in time; may have run
	codeMixed      Code = "mixed"        // several ended differently
	CodeLost       Code = "disconnected" // the connection was lost; may have run
	codeTruncated  Code = "truncated"    // the answer was over a limit; it ran
	CodeGap        Code = "gap"          // events are missing
	codeSignal     Code = "signal"       // stopped by a signal
	codeBug        Code = "bug"
	CodeInvalid    Code = "invalid"   // bench
	codeThreshold  Code = "threshold" // bench
)

// ExitOf is the one place where a code becomes an exit status.
var ExitOf = map[Code]int{
	CodeRefused: ExitFailed, CodeCall: ExitFailed, CodeCondition: ExitFailed,
	CodeUsage: ExitUsage, CodeConfig: ExitUsage, CodeInput: ExitUsage,
	codeDNS: ExitConnect, CodeConnect: ExitConnect, codeTLS: ExitConnect, codeBanner: ExitConnect, CodeUnsent: ExitConnect,
	CodeLogin: ExitLogin, CodePermission: ExitLogin,
	CodeTimeout: ExitTimeout, codeMixed: ExitMixed,
	CodeLost: ExitLost, codeTruncated: ExitLost, CodeGap: ExitLost, codeSignal: ExitLost,
	codeBug: ExitBug, CodeInvalid: exitInvalid, codeThreshold: exitThreshold,
}
