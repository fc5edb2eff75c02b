//! Generates the messages of `agent.proto`, without protoc.

const PROTO: &str = "../server/src/main/proto/agent.proto";
const FOLDER: &str = "../server/src/main/proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={PROTO}");
    let files = protox::compile([PROTO], [FOLDER])?;
    prost_build::Config::new()
        // Ordered maps: the same message always has the same bytes.
        .btree_map(["."])
        .compile_fds(files)?;
    Ok(())
}
