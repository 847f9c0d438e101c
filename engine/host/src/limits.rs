//! What a call may use. Every limit has a name, a reason and a test.

/// What a call may use.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Instructions, about: a call that computes for a second or so on today's machines.
    pub fuel: u64,
    /// Wall-clock time in milliseconds, waiting in host calls included: a person is waiting for the answer. HTTP has a
    /// time of its own, below.
    pub deadline_ms: u64,
    /// Memory of the whole instance, all its memories together, in bytes.
    pub memory_bytes: usize,
    /// Elements of all tables of the instance together.
    pub table_elements: usize,
    /// Memories of one component: what the pool keeps room for.
    pub memories: u32,
    /// Core instances of one component.
    pub core_instances: u32,
    /// Stack in bytes: deep recursion ends here rather than in the host's stack.
    pub stack_bytes: usize,
    /// What a guest hands to the host at once, an answer included, in bytes.
    pub transfer_bytes: usize,
    /// The answer of a call that changes something, in bytes: it is written with what it changed.
    pub output_bytes: usize,
    /// What a call has the host hand out in all, in bytes: each byte is copied into the guest.
    pub host_bytes: usize,
    /// Calls into the host.
    pub host_calls: u64,
    /// Host calls whose answers are recorded: each one waits for the disk.
    pub durable_calls: u32,
    /// Random bytes of a call: seeds and tokens, not data.
    pub random_bytes: usize,
    /// The longest name of a secret that is asked for, in bytes.
    pub secret_name_bytes: usize,
    /// The longest URL of a request, in bytes: what servers commonly take.
    pub http_url_bytes: usize,
    /// Headers of a request.
    pub http_headers: usize,
    /// Names and values of a request's headers together, in bytes, and of a response's.
    pub http_header_bytes: usize,
    /// The body of a request, in bytes.
    pub http_request_bytes: usize,
    /// The body of a response, in bytes: with its headers it fits into one record of the journal.
    pub http_response_bytes: usize,
    /// The longest timeout of a request in milliseconds, and that of a request that names none.
    pub http_timeout_ms: u64,
    /// What all requests of a call may take together, in milliseconds: the call holds its memory meanwhile.
    pub http_total_ms: u64,
    /// Log lines of a call; more are dropped.
    pub log_lines: usize,
    /// The longest log line, in bytes; a longer one is cut.
    pub log_line_bytes: usize,
    /// The largest component, in bytes.
    pub component_bytes: usize,
    /// Calls of one Interlinker that may wait for a thread.
    pub waiting_calls: usize,
    /// CPU time of one Interlinker a second, in milliseconds: one that uses more waits behind the others.
    pub cpu_ms_per_s: u32,
    /// CPU time that an Interlinker that was idle may use at once, in milliseconds.
    pub cpu_burst_ms: u32,
    /// Calls of one Interlinker that may wait while it has used its CPU time up.
    pub waiting_over_budget: usize,
    /// Slow calls under way, of all Interlinkers: each keeps a thread and its instance.
    pub calls_aside: usize,
    /// How long a slow call may wait for others in all, in milliseconds: a person is waiting for it, too.
    pub aside_ms: u64,
    /// Calls under way that may ask the world outside, of all Interlinkers: each keeps a thread and its instance.
    pub calls_outside: usize,
    /// Those of one Interlinker: a service outside that does not answer holds up no more.
    pub calls_outside_of_one: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 1_000_000_000,
            deadline_ms: 2_000,
            memory_bytes: 64 << 20,
            table_elements: 100_000,
            memories: 16,
            core_instances: 64,
            stack_bytes: 512 << 10,
            transfer_bytes: 1 << 20,
            output_bytes: 256 << 10,
            host_bytes: 32 << 20,
            host_calls: 100_000,
            durable_calls: 100,
            random_bytes: 4 << 10,
            secret_name_bytes: 128,
            http_url_bytes: 8 << 10,
            http_headers: 64,
            http_header_bytes: 16 << 10,
            http_request_bytes: 512 << 10,
            http_response_bytes: 512 << 10,
            http_timeout_ms: 10_000,
            http_total_ms: 30_000,
            log_lines: 100,
            log_line_bytes: 4 << 10,
            component_bytes: 32 << 20,
            waiting_calls: 4_096,
            cpu_ms_per_s: 50,
            cpu_burst_ms: 25,
            waiting_over_budget: 1_024,
            calls_aside: 32,
            aside_ms: 10_000,
            calls_outside: 32,
            calls_outside_of_one: 8,
        }
    }
}
