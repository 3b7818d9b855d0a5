// Storage for JavaScript: each call takes an operation number, runs on a disk thread, and is
// answered by one kDone event.
#include <sys/stat.h>

#include <string_view>
#include <system_error>

#include "addon/engine_wrap.h"
#include "core/file/file_table.h"
#include "core/file/source.h"

namespace fr {

void EngineWrap::answer(Engine& engine, double operation, const Done& done) {
  EventBatch batch;
  Event event{{static_cast<double>(EventType::kDone), operation,
               static_cast<double>(done.status.code), static_cast<double>(done.status.sys_errno)}};
  for (int i = 0; i < 5; i++) event.v[4 + i] = done.result[i];
  const char* const what = done.status.what == nullptr ? "" : done.status.what;
  const std::string_view text = done.status.ok() ? std::string_view(done.text) : what;
  event.v[kSideLength] = static_cast<double>(text.size());
  batch.events.push_back(event);
  batch.side.assign(text.begin(), text.end());
  engine.outbox().post(batch);
}

void EngineWrap::run(const Napi::CallbackInfo& info, uint32_t place, bool names,
                     std::function<Done()> work) {
  const auto operation = static_cast<double>(number_at(info, 0, "operation"));
  Engine* const engine = engine_.get();
  if (!engine->is_running()) throw_status(info.Env(), {Code::ERR_FR_CLOSED, 0});
  const bool taken = engine->on_disk(place, names, [engine, operation, work = std::move(work)] {
    answer(*engine, operation, work());
  });
  if (!taken) throw_status(info.Env(), {Code::ERR_FR_LIMIT, 0});
  if (pending_++ == 0) napi_ref_threadsafe_function(info.Env(), wake_);
}

void EngineWrap::run_in(const Napi::CallbackInfo& info, std::function<Done(DataDir&)> work) {
  const uint32_t handle = handle_at(info, 1, "dir");
  Dir dir;
  {
    std::lock_guard<std::mutex> hold(dirs_->mutex);
    const auto found = dirs_->all.find(handle);
    if (found != dirs_->all.end()) dir = found->second;
  }
  run(info, dir.place, true, [open = std::move(dir.open), work = std::move(work)]() -> Done {
    if (open == nullptr) return {{Code::ERR_FR_CLOSED, 0}};
    return work(*open);
  });
}

// Place of the threads that work on a file.
static uint32_t place_of(uint32_t handle) {
  const FileRef file = file_table_get(handle);
  return file == nullptr ? 0 : file->disk;
}

void EngineWrap::own(uint32_t file) {
  if (file == 0) return;
  std::lock_guard<std::mutex> hold(files_.mutex);
  files_.handles.insert(file);
}

// openSource(operation, path) -> file, size, mode, seconds, nanos; text: data bytes, then offset
// and length of each large hole, separated by spaces
void EngineWrap::open_source(const Napi::CallbackInfo& info) {
  run(info, 0, true, [this, path = text_at(info, 1, "path")]() -> Done {
    SourceInfo source;
    Done done{fr::open_source(path.c_str(), &source)};
    own(source.file);
    done.result[0] = source.file;
    done.result[1] = static_cast<double>(source.size);
    done.result[2] = source.mode;
    done.result[3] = static_cast<double>(source.mtime_seconds);
    done.result[4] = source.mtime_nanos;
    done.text = std::to_string(source.data_bytes);
    for (const Extent& hole : source.holes) {
      done.text += ' ' + std::to_string(hole.begin) + ' ' + std::to_string(hole.end - hole.begin);
    }
    return done;
  });
}

// checkSource(operation, file) -> touched, removed, writers
void EngineWrap::check_source(const Napi::CallbackInfo& info) {
  run(info, 0, true, [file = handle_at(info, 1, "file")]() -> Done {
    SourceLook look;
    Done done{fr::check_source(file, &look)};
    done.result[0] = look.is_touched ? 1 : 0;
    done.result[1] = look.is_removed ? 1 : 0;
    done.result[2] = static_cast<int>(look.writers);
    return done;
  });
}

// openDataDir(operation, path, isReadOnly) -> dir
void EngineWrap::open_data_dir(const Napi::CallbackInfo& info) {
  const std::string path = text_at(info, 1, "path");
  const bool is_read_only = flag_at(info, 2);
  Engine* const engine = engine_.get();
  if (!engine->is_running()) throw_status(info.Env(), {Code::ERR_FR_CLOSED, 0});
  const auto before = closed_.find(path);
  uint32_t place = 0;
  try {
    place = before == closed_.end() ? engine->disks().take() : engine->disks().take(before->second);
  } catch (const std::system_error& error) {
    throw_status(info.Env(), {Code::ERR_FR_LIMIT, error.code().value()});
  }
  const uint32_t handle = next_dir_++;
  {
    std::lock_guard<std::mutex> hold(dirs_->mutex);
    dirs_->all[handle] = {place, path, nullptr};
  }
  run(info, place, true, [engine, dirs = dirs_, path, is_read_only, place, handle]() -> Done {
    std::unique_ptr<DataDir> dir;
    Done done{DataDir::open(path.c_str(), &dir, is_read_only, place)};
    done.result[0] = handle;
    std::lock_guard<std::mutex> hold(dirs->mutex);
    if (done.status.ok()) {
      dirs->all[handle].open = std::move(dir);
    } else {
      dirs->all.erase(handle);
      engine->disks().give_back(place);
    }
    return done;
  });
}

// checkName(operation, dir, name, noClobber)
void EngineWrap::check_name(const Napi::CallbackInfo& info) {
  run_in(info, [name = bytes_at(info, 2, "name"), no_clobber = flag_at(info, 3)](DataDir& dir) {
    return Done{dir.check_name(name, no_clobber)};
  });
}

// createPartial(operation, dir, id, size) -> file
void EngineWrap::create_partial(const Napi::CallbackInfo& info) {
  run_in(info,
         [this, id = text_at(info, 2, "id"), size = number_at(info, 3, "size")](DataDir& dir) {
           uint32_t file = 0;
           Done done{dir.create_partial(id, size, &file)};
           own(file);
           done.result[0] = file;
           return done;
         });
}

// openPartial(operation, dir, id, names) -> file
void EngineWrap::open_partial(const Napi::CallbackInfo& info) {
  run_in(info,
         [this, id = text_at(info, 2, "id"), names = number_at(info, 3, "names")](DataDir& dir) {
           uint32_t file = 0;
           Done done{dir.open_partial(id, &file, names)};
           own(file);
           done.result[0] = file;
           return done;
         });
}

// openHeld(operation, dir, name) -> file
void EngineWrap::open_held(const Napi::CallbackInfo& info) {
  run_in(info, [this, name = bytes_at(info, 2, "name")](DataDir& dir) {
    uint32_t file = 0;
    Done done{dir.open_held(name, &file)};
    own(file);
    done.result[0] = file;
    return done;
  });
}

// remove(operation, dir, name)
void EngineWrap::remove(const Napi::CallbackInfo& info) {
  run_in(info, [name = bytes_at(info, 2, "name")](DataDir& dir) { return Done{dir.remove(name)}; });
}

// identityOf(operation, file) -> size, mtime and ctime as seconds and nanos; text: inode, decimal
void EngineWrap::identity_of(const Napi::CallbackInfo& info) {
  const uint32_t file = handle_at(info, 1, "file");
  run(info, place_of(file), true, [file]() -> Done {
    FileIdentity found;
    Done done{fr::identity_of(file, &found)};
    done.result[0] = static_cast<double>(found.size);
    done.result[1] = static_cast<double>(found.mtime_seconds);
    done.result[2] = static_cast<double>(found.mtime_nanos);
    done.result[3] = static_cast<double>(found.ctime_seconds);
    done.result[4] = static_cast<double>(found.ctime_nanos);
    done.text = std::to_string(found.inode);
    return done;
  });
}

// read(operation, file, offset, length) -> the bytes, fewer at the end of the file
void EngineWrap::read(const Napi::CallbackInfo& info) {
  const uint32_t handle = handle_at(info, 1, "file");
  const uint64_t offset = number_at(info, 2, "offset");
  const auto length =
      static_cast<size_t>(number_at(info, 3, "length", static_cast<double>(bounds::readBytes)));
  run(info, place_of(handle), false, [handle, offset, length]() -> Done {
    const FileRef file = file_table_get(handle);
    if (file == nullptr) return {{Code::ERR_FR_CLOSED, 0}};
    Done done;
    done.text.resize(length);
    auto* const into = reinterpret_cast<uint8_t*>(done.text.data());
    size_t have = 0;
    while (have < length) {
      const ssize_t got = read_some(*file, into + have, length - have, offset + have);
      if (got < 0) return {status_of_errno(errno, "read")};
      if (got == 0) break;
      have += static_cast<size_t>(got);
    }
    done.text.resize(have);
    return done;
  });
}

// copyIn(operation, from, to, offset, length, at: the offset in `to`)
void EngineWrap::copy_in(const Napi::CallbackInfo& info) {
  const uint32_t to = handle_at(info, 2, "to");
  run(info, place_of(to), false,
      [from = handle_at(info, 1, "from"), to, offset = number_at(info, 3, "offset"),
       length = number_at(info, 4, "length"), at = number_at(info, 5, "at")]() -> Done {
        return {fr::copy_in(from, to, offset, length, at)};
      });
}

struct EngineWrap::Publication {
  PublishRequest request;
  std::string id;
  std::string name;

  Done run(DataDir& dir, bool is_probe) {
    request.id = id;
    request.name = name;
    uint32_t lost = 0;
    Done done{is_probe ? dir.probe(request, &lost) : dir.publish(request, &lost)};
    done.result[0] = lost;
    return done;
  }
};

EngineWrap::Publication EngineWrap::publication_at(const Napi::CallbackInfo& info) {
  Publication made;
  made.request.file = handle_at(info, 2, "file");
  made.id = text_at(info, 3, "id");
  made.name = bytes_at(info, 4, "name");
  made.request.mode = static_cast<uint32_t>(number_at(info, 5, "mode", 07777));
  if (!info[6].IsNumber()) throw Napi::TypeError::New(info.Env(), "mtime: no seconds");
  made.request.mtime_seconds = info[6].As<Napi::Number>().Int64Value();
  made.request.mtime_nanos = static_cast<uint32_t>(number_at(info, 7, "mtime", 999'999'999));
  made.request.no_clobber = flag_at(info, 8);
  return made;
}

// publish(operation, dir, file, id, name, mode, seconds, nanos, noClobber) -> lost
void EngineWrap::publish(const Napi::CallbackInfo& info) {
  run_in(info,
         [made = publication_at(info)](DataDir& dir) mutable { return made.run(dir, false); });
}

// probe(operation, and as of publish) -> lost
void EngineWrap::probe(const Napi::CallbackInfo& info) {
  run_in(info, [made = publication_at(info)](DataDir& dir) mutable { return made.run(dir, true); });
}

// joinFile(operation, dir: of the head, file, unitBytes, reserveBytes, isWritten, map, parts: two
// numbers each (number, dir), paths: each with its length before it (u16))
void EngineWrap::join_file(const Napi::CallbackInfo& info) {
  struct Part {
    uint32_t number = 0;
    uint32_t place = 0;
    std::string path;
  };
  const uint32_t handle = handle_at(info, 2, "file");
  const uint64_t unit_bytes = number_at(info, 3, "unitBytes");
  const uint64_t reserve_bytes = number_at(info, 4, "reserveBytes");
  const bool is_written = flag_at(info, 5);
  const std::string map = bytes_at(info, 6, "map");
  const std::string paths = bytes_at(info, 8, "paths");
  if (unit_bytes == 0) throw Napi::TypeError::New(info.Env(), "unitBytes: 0");
  if (!info[7].IsTypedArray() ||
      info[7].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
    throw Napi::TypeError::New(info.Env(), "parts: not a Float64Array");
  }
  const auto numbers = info[7].As<Napi::Float64Array>();
  std::vector<Part> parts;
  size_t at = 0;
  for (size_t i = 0; i + 1 < numbers.ElementLength() && at + 2 <= paths.size(); i += 2) {
    const size_t length = static_cast<uint8_t>(paths[at]) |
                          static_cast<size_t>(static_cast<uint8_t>(paths[at + 1])) << 8;
    Part part;
    part.number = static_cast<uint32_t>(numbers[i]);
    part.path = paths.substr(at + 2, length);
    at += 2 + length;
    std::lock_guard<std::mutex> hold(dirs_->mutex);
    const auto found = dirs_->all.find(static_cast<uint32_t>(numbers[i + 1]));
    if (found != dirs_->all.end()) part.place = found->second.place;
    parts.push_back(std::move(part));
  }
  Engine* const engine = engine_.get();
  run_in(info,
         [engine, handle, unit_bytes, reserve_bytes, is_written, map = std::move(map),
          parts = std::move(parts)](DataDir&) -> Done {
           const FileRef file = file_table_get(handle);
           if (file == nullptr) return {{Code::ERR_FR_CLOSED, 0}};
           auto joined =
               std::make_unique<Joined>(file->fd, file->size, unit_bytes, reserve_bytes, map);
           for (const Part& part : parts) {
             const Status status = joined->add(part.number, part.path, is_written, part.place,
                                               engine->disks().queue(part.place));
             if (!status.ok()) return {status};
           }
           file->sparse = false;
           file->fallocate_ok = false;
           file->joined = std::move(joined);
           return {};
         });
}

// flush(operation, file) -> size, allocated, touched, lost
void EngineWrap::flush(const Napi::CallbackInfo& info) {
  const uint32_t file = handle_at(info, 1, "file");
  run(info, place_of(file), false, [file]() -> Done {
    FlushedFile found;
    Done done{fr::flush(file, &found)};
    done.result[0] = static_cast<double>(found.size);
    done.result[1] = static_cast<double>(found.allocated);
    done.result[2] = found.was_touched ? 1 : 0;
    done.result[3] = found.was_lost ? 1 : 0;
    return done;
  });
}

// trim(operation, file)
void EngineWrap::trim(const Napi::CallbackInfo& info) {
  const uint32_t file = handle_at(info, 1, "file");
  run(info, place_of(file), false, [file]() -> Done { return {fr::trim(file)}; });
}

// refreshDataDir(operation, dir) -> replaced
void EngineWrap::refresh_data_dir(const Napi::CallbackInfo& info) {
  run_in(info, [](DataDir& dir) {
    bool was_replaced = false;
    Done done{dir.refresh(&was_replaced)};
    done.result[0] = was_replaced ? 1 : 0;
    return done;
  });
}

// listPartials(operation, dir) -> text
void EngineWrap::list_partials(const Napi::CallbackInfo& info) {
  run_in(info, [](DataDir& dir) {
    Done done;
    done.status = dir.list(&done.text);
    return done;
  });
}

// lookAt(operation, dir, names) -> rows
void EngineWrap::look_at(const Napi::CallbackInfo& info) {
  run_in(info, [names = bytes_at(info, 2, "names")](DataDir& dir) {
    Done done;
    done.status = dir.look_at(names, &done.text);
    return done;
  });
}

// listEntries(operation, dir, name) -> rows and names
void EngineWrap::list_entries(const Napi::CallbackInfo& info) {
  run_in(info, [name = bytes_at(info, 2, "name")](DataDir& dir) {
    Done done;
    done.status = dir.list_entries(name, &done.text);
    return done;
  });
}

// placeEntries(operation, dir, steps) -> answers
void EngineWrap::place_entries(const Napi::CallbackInfo& info) {
  run_in(info, [steps = bytes_at(info, 2, "steps")](DataDir& dir) {
    Done done;
    done.status = dir.place_entries(steps, &done.text);
    return done;
  });
}

void EngineWrap::discard(const Napi::CallbackInfo& info) {
  run_in(info, [id = text_at(info, 2, "id")](DataDir& dir) { return Done{dir.discard(id)}; });
}

// expirePartials(operation, dir, seconds) -> removed
void EngineWrap::expire_partials(const Napi::CallbackInfo& info) {
  run_in(info, [seconds = number_at(info, 2, "olderThanSeconds")](DataDir& dir) {
    uint64_t removed = 0;
    Done done{dir.expire(seconds, &removed)};
    done.result[0] = static_cast<double>(removed);
    return done;
  });
}

// freeBytes(operation, dir) -> bytes
void EngineWrap::free_bytes(const Napi::CallbackInfo& info) {
  run_in(info, [](DataDir& dir) {
    uint64_t bytes = 0;
    Done done{dir.free_bytes(&bytes)};
    done.result[0] = static_cast<double>(bytes);
    return done;
  });
}

// closeFile(file). The last descriptor of a file without a name frees all its blocks as it is
// closed, which takes a while where it is large: threads of its disk wait for that, not the loop.
// One that has a name is closed at once: it may be opened again.
void EngineWrap::close_file(const Napi::CallbackInfo& info) {
  const uint32_t handle = handle_at(info, 0, "file");
  {
    std::lock_guard<std::mutex> hold(files_.mutex);
    files_.handles.erase(handle);
  }
  FileRef file = file_table_get(handle);
  file_table_remove(handle);
  Engine* const engine = engine_.get();
  if (file == nullptr || !engine->is_running()) return;
  struct stat found;
  if (fstat(file->fd, &found) != 0 || found.st_nlink > 0) return;
  const uint32_t disk = file->disk;
  engine->on_disk(disk, false, [file = std::move(file)]() mutable { file.reset(); });
}

// closeDataDir(dir): after what has been asked of it before.
void EngineWrap::close_data_dir(const Napi::CallbackInfo& info) {
  const uint32_t handle = handle_at(info, 0, "dir");
  Dir dir;
  {
    std::lock_guard<std::mutex> hold(dirs_->mutex);
    const auto found = dirs_->all.find(handle);
    if (found == dirs_->all.end()) return;
    dir = found->second;
    dirs_->all.erase(found);
  }
  constexpr size_t kClosedMax = 64;
  if (closed_.size() >= kClosedMax) closed_.clear();
  closed_[dir.path] = dir.place;
  engine_->disks().give_back(dir.place);
  // The last to hold it is what was asked before, or this.
  engine_->on_disk(dir.place, true, [open = std::move(dir.open)]() mutable { open.reset(); });
}

}  // namespace fr
