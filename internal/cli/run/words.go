package run

// Words is what the words at one place of the command line are: a subcommand's arguments, or what stands behind `--`.
// Completion offers them.
type Words struct {
	Kind    WordKind
	Choices func() []string // of OneOf, SomeOf and FormAndFiles: what a word, or the first one, may be
	Action  string          // of Parameters: whose they are
	Hint    string          // of NoWords: what to write instead
}

// WordKind is a kind of words.
type WordKind uint8

// The kinds of words.
const (
	NoWords      WordKind = iota // there are none, and one that stands there is an error
	AnyWords                     // nobody can tell what they are
	OneOf                        // one of Choices
	SomeOf                       // any of Choices, each once
	FormAndFiles                 // one of Choices, then files
	ActionName                   // the name of an action, or a glob
	ActionWords                  // an action, then its parameters
	Parameters                   // the parameters of an action
	EventName                    // the name of an event, or a glob
	EventNames                   // names of events, or globs
	ContextName                  // the name of a context
	NodeName                     // the name of a node; nobody can tell what stands behind it
	Files                        // names of files
	CommandLine                  // another program and its arguments
)
