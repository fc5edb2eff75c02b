module caisson.dev/egress-measure

go 1.24
