# {{.Notice}}
[Unit]
Requires=spd-lvs.service
After=spd-lvs.service

[Service]
EnvironmentFile=/etc/spd/node.env
