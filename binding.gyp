{
  "targets": [
    {
      "target_name": "fastreplica",
      "sources": [
        "<!@(node scripts/native-sources.mjs build/joined core addon)"
      ],
      "include_dirs": [
        "native",
        "<!@(node scripts/native-sources.mjs build/joined blake3 zstd)",
        "<!@(node -p \"require('node-addon-api').include_dir\")"
      ],
      "defines": [
        "NAPI_VERSION=9",
        "NODE_ADDON_API_DISABLE_DEPRECATED",
        "NODE_ADDON_API_CPP_EXCEPTIONS",
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
      ],
      "cflags!": ["-fno-exceptions", "-O3"],
      "cflags": ["-O2", "-fvisibility=hidden"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-O3", "-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": ["-std=c++20", "-fexceptions", "-Wall", "-Wextra"],
      "libraries": ["-lpthread"]
    }
  ]
}
