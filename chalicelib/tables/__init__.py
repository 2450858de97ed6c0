"""The records in DynamoDB, and every conditional write of them."""
