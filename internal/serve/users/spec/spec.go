// Package spec says how the users of amictl serve stand in a file. It stands alone, for every amictl reads the configuration.
package spec

// A User is one as it stands in a file.
//
//	[[users]]
//	name = "wall"
//	secret = "file:wall.secret"
//	nodes = ["fra-*"]            # absent: all
//	events = ["Queue*"]          # absent: none
//	actions = ["Ping", "Queue*", "Command", "Originate"]
//	commands = ["core show"]     # what a Command may begin with
//	contexts = ["outbound"]      # where an Originate, a Redirect or a transfer may lead
//	applications = ["Playback"]  # what an Originate may run
//	rate = 20                    # actions a second; absent: as many as the servers take
//	nats = true                  # whoever may publish under this name on the bus is this user there, and needs no secret
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

// Keys are the keys of a User.
func Keys() []string {
	return []string{"name", "secret", "nodes", "events", "actions", "commands", "contexts", "applications", "rate", "nats"}
}
