// rendezvous_server [ADDRESS]:PORT [--host NAME]... [--tls CERTIFICATES KEY]: processes meet at an event, over HTTP.
//
//     curl 'localhost:8000/event?event=e&actor=actor1&payload=p1' & curl 'localhost:8000/event?event=e&actor=actor2&payload=p2'
//
// Listens on 127.0.0.1 unless an address is given, and answers to the names of this machine and those of --host.
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <netsync/https.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <asio/signal_set.hpp>

namespace {

using namespace netsync;

struct Arguments {
    http::Options options;
    std::string certificates, key;  // of a server with TLS
};

std::optional<Arguments> understand(const std::vector<std::string_view>& words) {
    Arguments arguments;
    if (words.empty()) return std::nullopt;
    for (std::size_t at = 1; at < words.size();) {
        if (words[at] == "--host" && at + 1 < words.size()) {
            arguments.options.hosts.emplace_back(words[at + 1]);
            at += 2;
        } else if (words[at] == "--tls" && at + 2 < words.size()) {
            arguments.certificates = words[at + 1];
            arguments.key = words[at + 2];
            at += 3;
        } else {
            return std::nullopt;
        }
    }
    const std::string_view where = words[0];
    const std::size_t colon = where.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    if (colon > 0) arguments.options.address = where.substr(0, colon);
    const char* const last = where.data() + where.size();
    const auto [end, error] = std::from_chars(where.data() + colon + 1, last, arguments.options.port);
    return error == std::errc{} && end == last ? std::optional{arguments} : std::nullopt;
}

template <class Server, class... Tls>
int serve(const http::Options& options, Tls... tls) {
    asio::io_context context{1};
    Server server{context, options};
    http::RendezvousRoutes routes{server, context};
    if (const std::error_code error = server.start(tls...)) {
        std::fprintf(stderr, "cannot listen on %s:%d: %s\n", options.address.c_str(), options.port,
                     error.message().c_str());
        return 1;
    }
    std::printf("listening on %s:%d\n", options.address.c_str(), server.port());
    std::fflush(stdout);

    asio::signal_set signals{context, SIGINT, SIGTERM};
    signals.async_wait([&](std::error_code, int) {
        server.stop();
        context.stop();
    });
    context.run();
    context.restart();
    context.run_for(std::chrono::milliseconds{200});  // those who wait are told that it is over
    return 0;
}

}  // namespace

int main(int count, char** words) {
    const auto arguments = understand({words + 1, words + count});
    if (!arguments) {
        std::fprintf(stderr, "usage: rendezvous_server [ADDRESS]:PORT [--host NAME]... [--tls CERTIFICATES KEY]\n");
        return 2;
    }
    if (arguments->certificates.empty()) return serve<http::Server>(arguments->options);
    const auto tls = http::tls_files(arguments->certificates, arguments->key);
    if (tls) return serve<http::TlsServer>(arguments->options, *tls);
    std::fprintf(stderr, "cannot use the certificates: %s\n", tls.error().message().c_str());
    return 1;
}
