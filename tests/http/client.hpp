// The smallest client that can also misbehave: a socket, bytes out, one reply in.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

struct Answer {
    int status = 0;  // 0: none came
    std::string body{};
    std::string head{};
};

class Client {
   public:
    explicit Client(std::uint16_t port, int seconds = 60) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
        const timeval patience{seconds, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() { ::close(fd_); }

    bool connected() const { return connected_; }
    std::uint16_t port() const {
        sockaddr_in own{};
        socklen_t size = sizeof own;
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&own), &size);
        return ntohs(own.sin_port);
    }

    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    void shut_half() { ::shutdown(fd_, SHUT_WR); }

    void ask(std::string_view target, std::string_view body = {}, std::string_view method = {}) {
        if (method.empty()) method = body.empty() ? "GET" : "POST";
        std::string text = std::string(method) + ' ' + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n";
        if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
        send(text + "\r\n" + std::string(body));
    }

    Answer answer() {
        std::size_t end = 0;
        while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
            if (!read()) return {};
        Answer answer;
        answer.head = buffer_.substr(0, end);
        answer.status = std::atoi(answer.head.c_str() + sizeof "HTTP/1.1");
        const std::size_t field = answer.head.find("Content-Length: ");
        const std::size_t size =
            field == std::string::npos ? 0 : std::strtoul(answer.head.c_str() + field + 16, nullptr, 10);
        while (buffer_.size() < end + 4 + size)
            if (!read()) return {};
        answer.body = buffer_.substr(end + 4, size);
        buffer_.erase(0, end + 4 + size);
        return answer;
    }

   private:
    bool read() {
        char bytes[16384];
        const ssize_t count = ::recv(fd_, bytes, sizeof bytes, 0);
        if (count > 0) buffer_.append(bytes, static_cast<std::size_t>(count));
        return count > 0;
    }

    int fd_;
    bool connected_ = false;
    std::string buffer_;
};
