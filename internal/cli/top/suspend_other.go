//go:build !unix

package top

// suspend has no use where programs cannot be stopped.
func (s *shell) suspend() {}
