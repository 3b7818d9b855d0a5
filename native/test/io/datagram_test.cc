#include "core/io/datagram.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

namespace {

// Bound to `name`, whose first byte is NUL for the abstract namespace.
int bound(const std::string& name) {
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::memcpy(at.sun_path, name.data(), name.size());
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  const size_t length = offsetof(sockaddr_un, sun_path) + name.size();
  REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&at), static_cast<socklen_t>(length)) == 0);
  return fd;
}

std::string received(int fd) {
  char text[64];
  const ssize_t count = recv(fd, text, sizeof text, 0);
  return count < 0 ? "nothing" : std::string(text, static_cast<size_t>(count));
}

}  // namespace

TEST_CASE("a datagram arrives whole at an abstract socket") {
  const std::string name = "fr-datagram-" + std::to_string(getpid());
  const int fd = bound('\0' + name);
  CHECK(fr::send_datagram("@" + name, "READY=1\nSTATUS=x") == 0);
  CHECK(received(fd) == "READY=1\nSTATUS=x");
  CHECK(received(fd) == "nothing");
  CHECK(fr::send_datagram("@" + name + "-", "x") == ECONNREFUSED);
  close(fd);
}

TEST_CASE("a datagram arrives at a path, and the reason is told where it cannot") {
  const std::string path = "/tmp/fr-datagram-" + std::to_string(getpid());
  const int fd = bound(path);
  CHECK(fr::send_datagram(path, "STOPPING=1") == 0);
  CHECK(received(fd) == "STOPPING=1");
  close(fd);
  CHECK(fr::send_datagram(path, "x") == ECONNREFUSED);
  unlink(path.c_str());
  CHECK(fr::send_datagram(path, "x") == ENOENT);
  CHECK(fr::send_datagram("vsock:2:1", "x") == EAFNOSUPPORT);
  CHECK(fr::send_datagram("", "x") == EAFNOSUPPORT);
  CHECK(fr::send_datagram("/" + std::string(107, 'a'), "x") == ENAMETOOLONG);
  CHECK(fr::send_datagram("@" + std::string(108, 'a'), "x") == ENAMETOOLONG);
}
