// Any bytes as a name: what is accepted is published below DATA and nowhere else, what check_name
// accepts publish accepts too, and what it refuses leaves nothing behind.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "core/file/storage.h"

namespace {

namespace fs = std::filesystem;

struct World {
  World() {
    std::string pattern = "/dev/shm/fr-name-fuzz-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) abort();
    top = pattern;
    fs::create_directory(top / "outside");
    if (!fr::DataDir::open((top / "data").c_str(), &dir).ok()) abort();
    fs::create_directory_symlink("../outside", top / "data/l");
    fs::create_directory(top / "data/d");
  }

  fs::path top;
  std::unique_ptr<fr::DataDir> dir;
};

void require(bool holds) {
  if (!holds) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static World* const world = [] {
    auto* const made = new World;
    atexit([] {
      std::error_code ignored;
      fs::remove_all(world->top, ignored);
    });
    return made;
  }();
  const std::string_view name(reinterpret_cast<const char*>(data), size);
  const fr::Status early = world->dir->check_name(name, true);
  uint32_t file = 0;
  require(world->dir->create_partial("p", 0, &file).ok());
  const fr::Status late =
      world->dir->publish({.file = file, .id = "p", .name = name, .no_clobber = true});
  fr::file_table_remove(file);
  require(early.code == late.code);
  require(fs::is_empty(world->top / "outside"));
  if (!late.ok()) {
    require(world->dir->discard("p").ok());
    return 0;
  }
  // Nothing but plain components: so this path is below DATA, and it is there.
  require(fs::is_regular_file(fs::symlink_status(world->top / "data" / name)));
  const std::string first(name.substr(0, name.find('/')));
  fs::remove_all(world->top / "data" / first);
  fs::create_directory(world->top / "data/d");
  return 0;
}
