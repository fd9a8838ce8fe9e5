# spdserver and nothing else: no shell, no user but 65532, no files but certificates.
#   docker build -t spdserver .
#   docker buildx build --platform linux/amd64,linux/arm64 -t spdserver .

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=unknown
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.release=$VERSION" -o /spdserver ./cmd/spdserver

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /spdserver /spdserver
USER 65532:65532
# Control port, admin pages, data connections: the defaults of docs/configuration.md.
EXPOSE 21 8021 50000-50999
# Asks the admin listener (admin.listen, by default 127.0.0.1:8021) inside the container.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/spdserver", "healthcheck"]
ENTRYPOINT ["/spdserver"]
CMD ["serve"]
