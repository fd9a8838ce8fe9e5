# {{.Notice}}
[Unit]
Requires=spd-lvs.service
After=spd-lvs.service

[Service]
# A stop is a planned hand-over: the VIP goes first, forwarding ends three seconds later.
ExecStop=/bin/sh -c 'echo 1 > {{.HandOver}}; sleep 3'
