package main

func stageRolling(*lab) {}
func stageOutage(*lab)  {}
func stageSplit(*lab)   {}
func stageScale(*lab)   {}
