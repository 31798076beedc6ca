//! What this node can tell of types of resources.

use std::collections::BTreeMap;

use super::Agent;
use crate::error::Result;
use crate::resource_types::Description;

impl Agent {
    /// What an OCF agent says about itself, on this node.
    ///
    /// # Errors
    /// `ResourceTypeNotFound`; `DeviceNotReady` when this node does not have it.
    pub async fn describe_type(&self, type_name: &str) -> Result<Description> {
        self.options().factory.describe(type_name).await
    }

    /// Looks at the properties that a resource shall have as only a node can: what lies under a path, what
    /// an OCF agent takes.
    ///
    /// # Errors
    /// `InvalidParameter`; `DeviceNotReady` when this node does not have the agent.
    pub async fn check_properties(
        &self,
        type_name: &str,
        properties: &BTreeMap<String, String>,
    ) -> Result<()> {
        let factory = &self.options().factory;
        factory.check_properties(type_name, properties).await
    }
}
