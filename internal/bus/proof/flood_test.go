package proof

func flood() {}
