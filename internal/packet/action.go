package packet

// AppendAction appends the packet of an action that wire.CheckAction has passed, with an ActionID that is known to be
// one, or none.
func AppendAction[F ~struct{ Name, Value string }](dst []byte, action string, actionID []byte, fields []F) []byte {
	dst = appendLine(dst, "Action", action)
	if len(actionID) > 0 {
		dst = appendLine(dst, "ActionID", Borrow(actionID))
	}
	for i := range fields {
		f := struct{ Name, Value string }(fields[i])
		dst = appendLine(dst, f.Name, f.Value)
	}
	return append(dst, '\r', '\n')
}

func appendLine(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ':', ' ')
	dst = append(dst, value...)
	return append(dst, '\r', '\n')
}
