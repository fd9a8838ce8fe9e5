package main

// Time zones of allowed_hours, for machines and images that have none.
import _ "time/tzdata"
