# The operator as a static binary in an otherwise empty image. `make image` builds it without a registry: there a folder
# with the finished binary stands in for the stage `build`.
FROM docker.io/library/rust:1.95-bookworm AS build
ARG PROFILE=release
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src ./src
RUN triple="$(rustc -vV | sed -n 's/^host: //p')" \
    && RUSTFLAGS='-C target-feature=+crt-static' \
       cargo build --locked --profile "$PROFILE" --target "$triple" --bin tokencache-operator \
    && cp "target/$triple/$PROFILE/tokencache-operator" /tokencache-operator \
    && cp -L /etc/ssl/certs/ca-certificates.crt /ca-certificates.crt

FROM scratch
COPY --from=build /tokencache-operator /tokencache-operator
COPY --from=build /ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
USER 65532:65532
ENTRYPOINT ["/tokencache-operator"]
CMD ["run"]
