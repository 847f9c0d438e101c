//! The way in which software outside takes part: what people send is posted to one service after the other, and what the
//! last one answers is the outcome.
//!
//! The host records each answer before this sees it. A call that is interrupted goes on where it was: no service that has
//! answered is asked again, and one that may have been is asked with the same `Idempotency-Key`.

use interlink_sdk::prelude::*;

/// Where it goes.
#[derive(Input)]
struct Connect {
    /// URLs of the services, in the order in which they are called. The operator grants each one's origin.
    #[schemars(length(min = 1, max = 20), inner(length(min = 8, max = 2_000)))]
    urls: Vec<String>,
}

/// What is sent.
#[derive(Input)]
struct Message {
    /// The text that the services are sent.
    #[schemars(length(max = 10_000))]
    text: String,
}

/// What the services answered last.
#[derive(Output)]
struct Shown {
    urls: Vec<String>,
    /// How often something was sent.
    sent: u64,
    /// The status of each service's last answer, in order.
    statuses: Vec<u16>,
}

#[derive(State)]
struct Webhook {
    connect: Value<Connect>,
    sent: Value<u64>,
    statuses: Value<Vec<u16>>,
}

#[interlinker(
    name = "webhook",
    version = "1.0.0",
    title(en = "Webhook", es = "Aviso a otros servicios"),
    description(
        en = "Sends a text to services outside, one after the other, and declares what the last one answered.",
        es = "Envía un texto a otros servicios, uno tras otro, y declara lo que responde el último."
    ),
    licence = "EUPL-1.2"
)]
impl Webhook {
    #[instantiate(title(en = "Connect"))]
    fn connect(&mut self, input: Connect) -> Result<()> {
        let sound = |url: &String| url.starts_with("https://") || url.starts_with("http://");
        if let Some(number) = input.urls.iter().position(|url| !sound(url)) {
            ensure!(false, at format!("/urls/{number}"), "a service's address begins with https:// or http://");
        }
        self.connect.set(input)
    }

    #[action(title(en = "Send"))]
    fn send(&mut self, cx: &Call, input: Message) -> Result<Receipt> {
        let urls = self.connect.get().urls;
        let mut statuses = Vec::with_capacity(urls.len());
        let mut last = json!(null);
        for url in &urls {
            let request = Request::post(url).json(&json!({"text": input.text, "at": cx.now()?}))?;
            let response = cx.http(request)?.success()?;
            statuses.push(response.status());
            last = response.json().unwrap_or(json!(null));
        }
        self.sent.set(self.sent.get() + 1)?;
        self.statuses.set(statuses)?;
        cx.declare_outcome(last)?;
        Ok(Receipt::of(cx))
    }

    #[view]
    fn answers(&self) -> Result<Shown> {
        Ok(Shown { urls: self.connect.get().urls, sent: self.sent.get(), statuses: self.statuses.get() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_nobody_granted_is_not_called_and_nothing_is_changed() {
        let mut hook = TestHost::open::<Webhook>(json!({"urls": ["https://one.example/in"]}));
        hook.act_as("ana", "send", json!({"text": "hello"})).refused("not-granted");
        assert_eq!(hook.view(), json!({"urls": ["https://one.example/in"], "sent": 0, "statuses": []}));
        assert_eq!(hook.outcome(), None);
    }

    #[test]
    fn an_address_that_is_none_is_pointed_at() {
        let refused = TestHost::try_open::<Webhook>(json!({"urls": ["https://one.example/in", "ftp://two.example"]}));
        assert_eq!(refused.err().and_then(|problem| problem.pointer), Some("/urls/1".into()));
    }
}
