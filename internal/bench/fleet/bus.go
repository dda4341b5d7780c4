package fleet

// A Bus carries messages between a coordinator and its workers. What one side publishes arrives in that order.
type Bus interface {
	// Publish sends a message and does not wait.
	Publish(subject string, data []byte) error
	// Subscribe calls f for each message, one after another. f must not block, and may keep data.
	Subscribe(subject string, f func(data []byte)) (stop func(), err error)
	MaxPayload() int // bytes of the largest message
	Connected() bool
	Close()
}

// Subjects of messages.
const (
	prefix = "ami.bench."
	lobby  = prefix + "lobby" // workers who have nothing to do say hello
)

func toIdle(worker string) string          { return lobby + "." + worker }
func fromWorker(run, worker string) string { return prefix + run + ".from." + worker }
func toAll(run string) string              { return prefix + run + ".all" }
func toWorker(run, worker string) string   { return prefix + run + ".to." + worker }
