package users

// Remembered returns how many addresses a guard knows of.
func Remembered(g *Guard) int { return len(g.failed) }
