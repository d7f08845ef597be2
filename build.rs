//! Compiles the one C++ file of the extension, `src/vector/exception.cpp`.
//!
//! It is linked with the platform's C++ runtime as a shared library: `libstdc++` on Linux and MinGW, `libc++` on macOS, Microsoft's
//! with MSVC. DuckDB's own builds use the same, so an exception is caught by the runtime that threw it. `CXXSTDLIB` names another one.
//! Never link libgcc statically: its unwinder would not know the frames of the host.

fn main() {
    let source = "src/vector/exception.cpp";
    println!("cargo::rerun-if-changed={source}");
    let mut build = cc::Build::new();
    build.cpp(true).std("c++11").file(source);
    if build.get_compiler().is_like_msvc() {
        // Not /EHsc, with which functions declared `extern "C"` count as never throwing: DuckDB's do.
        build.flag("/EHs");
    } else {
        build.flag("-fvisibility=hidden");
    }
    build.compile("rasteret_exception");
}
