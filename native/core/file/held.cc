// Published files, looked up again by their names: opened to be read, and removed.
//
// The idea: the way to a file is the one that publish went, below an open DATA and through no
// symlink. Only a regular file is held; whatever else somebody put under a name is left alone.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "core/file/storage.h"
#include "core/file/storage_paths.h"

namespace fr {

Status DataDir::open_held(std::string_view name, uint32_t* file) noexcept {
  NamePlace place;
  Fd fd;
  Status way = find_place(name, false, &place, Names::kAlsoVersions);
  if (!way.ok()) return way;
  if (Status status = open_file(place, best_confine(root_), &fd); !status.ok()) return status;
  struct stat found;
  if (fstat(fd.get(), &found) != 0) return status_of_errno(errno, "fstat");
  const auto size = static_cast<uint64_t>(found.st_size);
  const auto opened = std::make_shared<File>(fd.release(), size);
  opened->disk = disk_;
  opened->sparse = static_cast<uint64_t>(found.st_blocks) * 512 < size;
  *file = file_table_add(opened);
  return *file == 0 ? Status{Code::ERR_FR_LIMIT, 0} : kOkStatus;
}

Status DataDir::remove(std::string_view name) noexcept {
  NamePlace place;
  if (Status status = find_place(name, false, &place); !status.ok()) return status;
  if (Status status = check_file(place); !status.ok()) return status;
  if (unlinkat(place.parent.get(), place.last.c_str(), 0) != 0) {
    if (errno == ENOENT) return {Code::ERR_FR_NOT_HELD, 0};
    return status_of_errno(errno, "unlink");
  }
  // Upwards, until a directory has something else in it, or may not be removed.
  for (size_t end = name.rfind('/'); end != std::string_view::npos; end = name.rfind('/')) {
    name = name.substr(0, end);
    NamePlace above;
    if (!find_place(name, false, &above).ok() || !above.missing.empty()) break;
    if (unlinkat(above.parent.get(), above.last.c_str(), AT_REMOVEDIR) != 0) break;
    place = std::move(above);
  }
  return sync_fd(place.parent.get());
}

}  // namespace fr
