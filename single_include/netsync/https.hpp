// netsync/https.hpp: made by tools/amalgamate.py from include/; edit those files, not this one.
#pragma once

#include <netsync/netsync.hpp>
#include <netsync/http.hpp>

// ---- netsync/http/tls.hpp ----

// netsync: the same server over TLS. The program brings its certificate and key, and says what it asks of its clients.

#include <asio/ssl/context.hpp>
#include <asio/steady_timer.hpp>
#include <restinio/tls.hpp>

namespace netsync::http {

/// How long a client may take to agree on TLS.
inline constexpr Duration handshake_patience = std::chrono::seconds{10};

/// RESTinio's call for each TLS connection of a server of ours, found by its arguments: its own one waits for ever.
template <class Traits, class Begin, class Fail>
void prepare_connection_and_start_read(restinio::tls_socket_t& socket, restinio::impl::connection_t<Traits>& connection,
                                       Begin begin, Fail fail) {
    const auto timer = std::make_shared<asio::steady_timer>(socket.get_executor(), handshake_patience);
    const auto kept = connection.shared_from_this();  // and the socket with it
    timer->async_wait([kept, &socket](const asio::error_code& cancelled) {
        asio::error_code ignored;
        if (!cancelled) socket.close(ignored);
    });
    socket.async_handshake(asio::ssl::stream_base::server, [timer, kept, begin, fail](const asio::error_code& error) {
        timer->cancel();
        error ? fail(error) : begin();
    });
}

/// `server.start(tls_files(certificate, key).value())`. TLS 1.2 or later.
using TlsServer = BasicServer<restinio::tls_socket_t>;

/// What a TlsServer starts with: a chain of certificates and a private key, both PEM. For clients that show one too, set
/// `verify_mode` and an authority on what this returns.
inline Result<std::shared_ptr<asio::ssl::context>> tls_files(const std::string& certificates,
                                                             const std::string& key) try {
    auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
    context->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                         asio::ssl::context::no_tlsv1_1);
    context->use_certificate_chain_file(certificates);
    context->use_private_key_file(key, asio::ssl::context::pem);
    return context;
} catch (const std::system_error& error) {
    return error.code();
}

}  // namespace netsync::http

// ---- netsync/https.hpp ----

// netsync: the opt-in header for HTTP over TLS. Needs what http.hpp needs, and OpenSSL (the CMake target netsync::https).

