// Connections over loopback for tests that want real sockets.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

namespace fr::test {

inline void close_fd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

struct TcpPair {
  int a = -1;
  int b = -1;
  TcpPair() {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof at;
    auto* const address = reinterpret_cast<sockaddr*>(&at);
    if (bind(listener, address, sizeof at) != 0 || listen(listener, 1) != 0) abort();
    if (getsockname(listener, address, &length) != 0) abort();
    a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(a, address, sizeof at) != 0) abort();
    b = accept(listener, nullptr, nullptr);
    close_fd(listener);
  }
  TcpPair(const TcpPair&) = delete;
  TcpPair& operator=(const TcpPair&) = delete;
  // What is handed to an engine is duplicated by it.
  void release() {
    close_fd(a);
    close_fd(b);
  }
  ~TcpPair() { release(); }
};

}  // namespace fr::test
