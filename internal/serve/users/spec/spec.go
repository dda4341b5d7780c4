// Package spec says how the users of amictl serve stand in a file. It stands alone, for every amictl reads the configuration.
package spec

// A User is one as it stands in a file: see Example.
type User struct {
	Name         string   `toml:"name"`
	Secret       string   `toml:"secret"` // a reference, such as file:PATH
	Nodes        []string `toml:"nodes"`
	Events       []string `toml:"events"`
	Actions      []string `toml:"actions"`
	Commands     []string `toml:"commands"`
	Contexts     []string `toml:"contexts"`
	Applications []string `toml:"applications"`
	Rate         float64  `toml:"rate"`
	NATS         bool     `toml:"nats"`
}

// Example is a user with every key that there is, for all pages.
const Example = `[[users]]
name = "wall"                  # of its AMI login, and in the log
secret = "file:wall.secret"    # or env:NAME, cmd:COMMAND, cred:NAME
nodes = ["pbx*"]               # absent: all
events = ["*"]                 # and the state they tell of; absent: none
actions = ["Ping", "Command"]  # absent: none
commands = ["core show"]       # what a Command may begin with
contexts = ["outbound"]        # where calls may be led
applications = ["Playback"]    # what an Originate may run
rate = 20                      # actions a second; absent: no limit
nats = true                    # may act over the bus; needs no secret
`
