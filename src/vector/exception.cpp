// Exceptions of DuckDB's C API, caught on their way into Rust and thrown again where they leave it. See exception.rs.

#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>

using std::exception_ptr;

static_assert(sizeof(exception_ptr) <= 2 * sizeof(void *), "exception.rs has room for two pointers");
static_assert(alignof(exception_ptr) <= alignof(void *), "exception.rs aligns to pointers");

extern "C" {

// Calls `call(data)`. Gives false if that threw, with the exception in `room`, to be thrown again or dropped.
bool rasteret_exception_catch(void (*call)(void *), void *data, void *room) noexcept {
	try {
		call(data);
		return true;
	} catch (...) {
		new (room) exception_ptr(std::current_exception());
		return false;
	}
}

// Throws the exception again; `room` holds nothing afterwards.
void rasteret_exception_throw(exception_ptr *room) {
	exception_ptr exception(*room);
	room->~exception_ptr();
	if (!exception) {
		// Nothing that C++ threw.
		throw std::bad_exception();
	}
	std::rethrow_exception(exception);
}

// Makes an exception with this text. Gives false where there is no memory for it.
bool rasteret_exception_make(const char *what, void *room) noexcept {
	try {
		new (room) exception_ptr(std::make_exception_ptr(std::runtime_error(what)));
		return true;
	} catch (...) {
		return false;
	}
}

void rasteret_exception_drop(exception_ptr *room) noexcept {
	room->~exception_ptr();
}

// Copies the beginning of the exception's text, which may be empty; gives its length in `text`.
size_t rasteret_exception_text(const exception_ptr *room, char *text, size_t capacity) noexcept {
	if (!*room) {
		return 0;
	}
	try {
		std::rethrow_exception(*room);
	} catch (const std::exception &exception) {
		const char *what = exception.what();
		size_t length = std::strlen(what);
		length = length < capacity ? length : capacity;
		std::memcpy(text, what, length);
		return length;
	} catch (...) {
		return 0;
	}
}
}
