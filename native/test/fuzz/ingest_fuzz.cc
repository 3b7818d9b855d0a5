// Any bytes on an incoming feed of a live engine, with a feed behind it that two routes go to: an
// input is a little program that writes records, sound ones and others. Judged by the model: what
// is in the files (and behind their ends), which blocks and digests are told, how the feed ends,
// and what was passed on under which route, each byte once.
#include <poll.h>

#include <csignal>

#include "ingest_model.h"
#include "ingest_world.h"

namespace {

using fuzz::require;

// Sizes that are no multiple of a block, an empty stream, and the end of one that grows.
constexpr size_t kSizes[] = {5 * fuzz::kBlock + 77, 3 * fuzz::kBlock, 0, fuzz::kSectionBlock + 999};
constexpr uint32_t kStreams = 4;
constexpr uint32_t kGrowing = 3;
constexpr uint32_t kFilled[] = {0, 1, kGrowing};
// With one record more, the socket takes it all before anybody reads.
constexpr size_t kWireMax = 64 << 10;

struct World {
  fuzz::Host host;
  fuzz::Loopback loopback;
  std::vector<fuzz::Memory> files;
  fuzz::Memory scratch{kSizes[0]};
  World() {
    // libFuzzer's own clock would interrupt system calls here; every wait has an end without it.
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    require(pthread_sigmask(SIG_BLOCK, &alarm, nullptr) == 0);
    for (const size_t size : kSizes) files.emplace_back(size);
  }
};

class Script {
 public:
  Script(const uint8_t* data, size_t size) : at_(data), left_(size) {}
  bool is_over() const { return left_ == 0; }
  uint64_t take(size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes && left_ > 0; i++, left_--) value |= uint64_t{*at_++} << (8 * i);
    return value;
  }

 private:
  const uint8_t* at_;
  size_t left_;
};

void put_header(const fuzz::Record& record, std::vector<uint8_t>* wire) {
  uint8_t header[fuzz::kHeader];
  fuzz::make_header(record, fuzz::kSeed, header);
  wire->insert(wire->end(), header, header + sizeof header);
}

// A record that lies within its stream; its payload tells where in the wire it came from.
void put_record(uint8_t kind, Script& script, std::vector<uint8_t>* wire) {
  const uint64_t choice = script.take(1);
  fuzz::Record record;
  record.kind = kind;
  record.stream = kFilled[(choice >> 4) % 3];
  if (choice % 4 == 3 && kind == fuzz::kPayload && record.stream == 0) {
    record.flags = fuzz::kScratch;
  } else {
    record.route = choice % 4;  // 3: a route that nobody has set
  }
  const size_t size = kSizes[record.stream];
  record.offset = script.take(2) % size;
  record.length = static_cast<uint32_t>(1 + script.take(2) % (size - record.offset));
  // On block borders records meet and complete blocks.
  if ((choice & 8) != 0) record.offset = record.offset / fuzz::kBlock * fuzz::kBlock;
  if (kind == fuzz::kDigests) record.extra = static_cast<uint32_t>(1 + script.take(1));
  put_header(record, wire);
  size_t follows = kind == fuzz::kPayload ? record.length : record.extra;
  if ((choice & 0xF0) == 0xF0) follows -= std::min<size_t>(follows, 1 + script.take(1));
  for (size_t i = 0; i < follows; i++) {
    wire->push_back(static_cast<uint8_t>(wire->size() % 251 + 1));
  }
}

std::vector<uint8_t> wire_of(Script& script) {
  std::vector<uint8_t> wire;
  while (!script.is_over() && wire.size() < kWireMax) {
    const uint64_t step = script.take(1);
    switch (step % 8) {
      case 0:
      case 1:
      case 2:
        put_record(fuzz::kPayload, script, &wire);
        break;
      case 3:
        put_record(fuzz::kHole, script, &wire);
        break;
      case 4:
        put_record(fuzz::kDigests, script, &wire);
        break;
      case 5:
        put_header({.kind = fuzz::kEnd}, &wire);
        break;
      case 6:  // bytes as they are
        for (uint64_t i = 0; i <= step / 8; i++) {
          wire.push_back(static_cast<uint8_t>(script.take(1)));
        }
        break;
      case 7: {  // any fields at all, with a right check
        fuzz::Record record;
        record.kind = static_cast<uint8_t>(script.take(1));
        record.flags = static_cast<uint16_t>(script.take(1));
        record.route = static_cast<uint16_t>(script.take(step / 16 % 3));
        record.stream = static_cast<uint32_t>(script.take(1));
        record.extra = static_cast<uint32_t>(script.take(step / 8 % 5));
        record.offset = script.take(step / 64 % 2 == 0 ? 2 : 8);
        record.length = static_cast<uint32_t>(script.take(step / 128 % 2 == 0 ? 2 : 4));
        put_header(record, &wire);
        break;
      }
    }
  }
  return wire;
}

// In up to four pieces, so that headers and payloads are met half; `between` comes after each. The
// engine may hang up before.
template <typename Between>
void write_wire(int fd, const std::vector<uint8_t>& wire, uint64_t cuts, Between&& between) {
  size_t done = 0;
  for (int piece = 0; piece < 4; piece++, cuts >>= 4) {
    between(piece);
    const size_t upto = piece == 3 ? wire.size() : done + (wire.size() - done) * (cuts & 15) / 15;
    while (done < upto) {
      const ssize_t put = send(fd, &wire[done], upto - done, MSG_NOSIGNAL);
      if (put <= 0) {
        done = upto;
        break;
      }
      done += static_cast<size_t>(put);
    }
  }
  shutdown(fd, SHUT_WR);
}

std::vector<uint8_t> read_all(int fd) {
  std::vector<uint8_t> bytes;
  uint8_t some[16 << 10];
  for (;;) {
    pollfd readable{fd, POLLIN, 0};
    require(poll(&readable, 1, 10'000) == 1);
    const ssize_t got = recv(fd, some, sizeof some, 0);
    require(got >= 0);
    if (got == 0) return bytes;
    bytes.insert(bytes.end(), some, some + got);
  }
}

constexpr uint64_t kCutMost = 5'000;

// Routes 1 and 2 go on as these.
constexpr uint16_t kNext[] = {0, 0, 9};

// What the feed behind carried: every byte of its routes once, as it is in the file, then an end.
void check_routed(const std::vector<uint8_t>& wire, fuzz::Model& model) {
  size_t at = 0;
  fuzz::Record record;
  for (;;) {
    require(wire.size() - at >= fuzz::kHeader);
    require(fuzz::parse_header(&wire[at], fuzz::kSeed, &record));
    at += fuzz::kHeader;
    if (record.kind == fuzz::kEnd) break;
    require(record.flags == 0 && record.kind != fuzz::kDigests);
    fuzz::ModelStream& stream = model.streams.at(record.stream);
    require(record.offset + record.length <= stream.routes.size());
    for (size_t i = record.offset; i < record.offset + record.length; i++) {
      const uint16_t route = std::exchange(stream.routes[i], 0);
      require((route == 1 || route == 2) && record.route == kNext[route]);
      require(stream.main.bytes[i] == (record.kind == fuzz::kHole ? 0 : wire.at(at++)));
    }
  }
  require(at == wire.size());
  for (const auto& [number, stream] : model.streams) {
    for (size_t i = stream.line; i < stream.routes.size(); i++) {
      require(stream.routes[i] != 1 && stream.routes[i] != 2);
    }
  }
}

void check_file(const fuzz::Memory& file, const fuzz::ModelTarget& expected) {
  std::vector<uint8_t> bytes = expected.bytes;
  bytes.resize(bytes.size() + fuzz::Memory::kGuard, 0);
  require(file.read() == bytes);
}

uint64_t whole(double value) { return static_cast<uint64_t>(value); }

// Events of the incoming feed, held against the model; true at its end.
class Witness {
 public:
  Witness(fuzz::Model* model, uint32_t feed) : model_(model), feed_(feed) {
    for (auto& [number, stream] : model->streams) told_.emplace(number, Told{});
  }

  bool take(const fr::Event& event, const std::vector<uint8_t>& side) {
    const double* v = event.v;
    switch (static_cast<fr::EventType>(static_cast<int>(v[0]))) {
      case fr::EventType::kLanded: {
        Told& told = told_.at(static_cast<uint32_t>(v[2]));
        std::set<size_t>& blocks = v[3] != 0 ? told.scratch : told.main;
        const fuzz::ModelStream& of = model_->streams.at(static_cast<uint32_t>(v[2]));
        const uint64_t end = whole(v[4] + v[5]);
        if (v[fr::kSideLength] > 0) {  // the answer to a cut
          require(of.block_bytes == fuzz::kSectionBlock && whole(v[4]) == 0 && end <= kCutMost);
          return false;
        }
        require(whole(v[4]) % of.block_bytes == 0);
        for (uint64_t at = whole(v[4]); at < end; at += of.block_bytes) {
          require(blocks.insert(at).second || v[3] != 0);  // of the file, each once
        }
        return false;
      }
      case fr::EventType::kDigests: {
        const fuzz::ModelDigests& expected = model_->digests.at(digests_++);
        const auto from = side.begin() + static_cast<ptrdiff_t>(v[fr::kSideOffset]);
        require(v[2] == feed_ && v[3] == expected.record.stream);
        require(v[4] == expected.record.route && whole(v[5]) == expected.record.offset);
        require(v[6] == expected.record.length && v[fr::kSideLength] == expected.record.extra);
        require(std::equal(expected.payload.begin(), expected.payload.end(), from));
        return false;
      }
      case fr::EventType::kFeedClosed:
        require(v[2] == feed_ && v[3] == static_cast<double>(model_->code));
        require(digests_ == model_->digests.size());
        for (const auto& [number, stream] : model_->streams) {
          require(told_.at(number).main == stream.main.blocks);
          require(told_.at(number).scratch == stream.scratch.blocks);
        }
        return true;
      default:
        abort();  // the files are fine
    }
  }

 private:
  struct Told {
    std::set<size_t> main;
    std::set<size_t> scratch;
  };
  fuzz::Model* const model_;
  const uint32_t feed_;
  std::map<uint32_t, Told> told_;
  size_t digests_ = 0;
};

uint32_t open_transfer(World& world) {
  uint32_t transfer = 0;
  require(world.host.engine.open_transfer(0, &transfer).ok());
  for (uint32_t stream = 0; stream < kStreams; stream++) {
    const fuzz::Memory& file = world.files[stream];
    const uint32_t scratch = stream == 0 ? world.scratch.handle : 0;
    fr::StreamRequest request;
    request.transfer = transfer;
    request.stream = stream;
    request.file = file.handle;
    request.scratch = scratch;
    request.size = file.size;
    request.block_bytes = fuzz::kBlock;
    request.growing = stream == kGrowing;
    if (request.growing) request.size = 0;
    require(world.host.engine.add_stream(request).ok());
  }
  return transfer;
}

uint32_t adopt(World& world, uint32_t transfer, bool is_out, int* other) {
  int ours = -1;
  uint32_t feed = 0;
  world.loopback.connect_pair(other, &ours);
  require(world.host.engine.adopt({ours, transfer, is_out, false, fuzz::kSeed, ""}, &feed).ok());
  ::close(ours);
  return feed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static World* const world = new World;
  Script script(data, size);
  const uint64_t cuts = script.take(2);
  const uint64_t growth = script.take(1);
  const std::vector<uint8_t> wire = wire_of(script);

  fuzz::Model model;
  for (uint32_t stream = 0; stream < kStreams; stream++) {
    const size_t block = stream == kGrowing ? fuzz::kSectionBlock : fuzz::kBlock;
    model.streams.emplace(stream, fuzz::ModelStream(kSizes[stream], stream == 0, block));
    world->files[stream].clear();
  }
  world->scratch.clear();
  model.run(wire);

  int sender = -1;
  int mate = -1;
  const uint32_t transfer = open_transfer(*world);
  const uint32_t onward = adopt(*world, transfer, true, &mate);
  const uint32_t feed = adopt(*world, transfer, false, &sender);
  // Before anything lands, or after it: the history.
  const auto set_routes = [&] {
    for (const uint16_t route : {1, 2}) {
      require(world->host.engine.set_route(transfer, route, {{onward, kNext[route], false}}).ok());
    }
  };
  const bool is_late = cuts % 2 == 1;
  if (!is_late) set_routes();
  Witness witness(&model, feed);
  // Whenever it grows, is cut and forgets: what comes of it is the same in the end.
  model.streams.at(kGrowing).line = kSizes[kGrowing] * (growth & 15) / 15;
  write_wire(sender, wire, cuts, [&](int piece) {
    fr::Engine& engine = world->host.engine;
    const bool is_last = piece == 3;
    const uint64_t size =
        is_last ? kSizes[kGrowing] : kSizes[kGrowing] * (growth >> 4) * piece / 64;
    require(engine.grow(transfer, kGrowing, size, is_last).ok());
    if (size > 0) require(engine.cut(transfer, kGrowing, 0, std::min(size, kCutMost)).ok());
    require(engine.forget(transfer, kGrowing, model.streams.at(kGrowing).line).ok());
  });
  world->host.until([&](const fr::Event& event, const std::vector<uint8_t>& side) {
    return witness.take(event, side);
  });
  std::vector<double> stats;
  require(world->host.engine.stats(transfer, &stats).ok());
  // Of the files, and of scratch.
  require(whole(stats[0]) + whole(stats[2]) == model.landed);

  if (is_late) set_routes();
  require(world->host.engine.finish(onward).ok());
  const std::vector<uint8_t> routed = read_all(mate);
  ::close(mate);
  world->host.until([&](const fr::Event& event, const std::vector<uint8_t>&) {
    const auto type = static_cast<fr::EventType>(static_cast<int>(event.v[0]));
    if (type == fr::EventType::kLanded && event.v[fr::kSideLength] > 0) return false;  // of a cut
    require(type == fr::EventType::kFeedClosed);
    require(event.v[2] == onward && event.v[3] == 0);
    return true;
  });
  ::close(sender);
  world->host.settle();  // allocates ahead, and gives back, in files that the next input uses again
  for (uint32_t stream = 0; stream < kStreams; stream++) {
    check_file(world->files[stream], model.streams.at(stream).main);
  }
  check_file(world->scratch, model.streams.at(0).scratch);
  check_routed(routed, model);
  require(world->host.engine.close_transfer(transfer).ok());
  return 0;
}
